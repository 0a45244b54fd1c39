import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.rocketmq.common.message.MessageExt;

/** What the programs of this folder share: options as name=value, and lines that tests read. */
final class Peer {
    private Peer() {}

    static Map<String, String> options(String[] args) {
        return Arrays.stream(args).map(arg -> arg.split("=", 2)).collect(Collectors.toMap(pair -> pair[0], pair -> pair[1]));
    }

    static int number(Map<String, String> options, String name, int otherwise) {
        return Integer.parseInt(options.getOrDefault(name, String.valueOf(otherwise)));
    }

    static String hash(byte[] body) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-1").digest(body));
    }

    /** A message that came. */
    static void printReceived(MessageExt message) {
        try {
            say("GOT", message.getMsgId(), message.getQueueId(), message.getQueueOffset(), message.getKeys(), message.getTags(),
                message.getUserProperty("number"), hash(message.getBody()));
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    static synchronized void say(Object... words) {
        System.out.println(Arrays.stream(words).map(String::valueOf).collect(Collectors.joining(" ")));
    }

    /** Until whoever started this program closes its input. */
    static void awaitEndOfInput() throws Exception {
        while (System.in.read() >= 0) {
            // What is written does not matter.
        }
    }
}
