import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;

/** A lite pull consumer from the first offset on; says what comes, and ends when its input ends. Options: namesrv, topic, group. */
public final class LitePull {
    private static final int POLL_MS = 200;

    private LitePull() {}

    public static void main(String[] args) throws Exception {
        Map<String, String> options = Peer.options(args);
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(options.get("group"));
        consumer.setNamesrvAddr(options.get("namesrv"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(options.get("topic"), options.getOrDefault("tags", "*"));
        consumer.start();
        Peer.say("READY");
        AtomicBoolean isEnding = new AtomicBoolean();
        Thread polling = new Thread(() -> {
            while (!isEnding.get()) consumer.poll(POLL_MS).forEach(Peer::printReceived);
        });
        polling.start();
        Peer.awaitEndOfInput();
        isEnding.set(true);
        polling.join();
        consumer.shutdown();
        Peer.say("END");
        System.exit(0);
    }
}
