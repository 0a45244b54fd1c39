import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;

/**
 * Sends until `count` messages are acknowledged, or, one-way, are sent; says of each how that ended. Options: namesrv, topic, count; way
 * (sync, async, oneway, batch), threads, maxSize of a body, compress, first (number of the first message), wait (false: not for slaves), clientIP.
 */
public final class Produce {
    private static final int BATCH = 10;
    private static final int PAUSE_MS = 20;

    private final DefaultMQProducer producer = new DefaultMQProducer("producers");
    private final String topic;
    private final int maxSize;
    private final boolean compress;
    private final boolean wait;
    private final AtomicInteger next;
    private final Semaphore room;
    private final int count;
    private final AtomicInteger acked = new AtomicInteger();

    private Produce(Map<String, String> options) {
        topic = options.get("topic");
        count = Peer.number(options, "count", 1);
        maxSize = Peer.number(options, "maxSize", 1024);
        compress = Boolean.parseBoolean(options.get("compress"));
        wait = Boolean.parseBoolean(options.getOrDefault("wait", "true"));
        next = new AtomicInteger(Peer.number(options, "first", 0));
        room = new Semaphore(Peer.number(options, "inFlight", 32));
        producer.setNamesrvAddr(options.get("namesrv"));
        producer.setInstanceName("produce");
        if (options.containsKey("clientIP")) producer.setClientIP(options.get("clientIP"));
        producer.setPollNameServerInterval(1000);
        producer.setSendMsgTimeout(10_000);
        producer.setRetryTimesWhenSendFailed(0);
        producer.setRetryTimesWhenSendAsyncFailed(0);
        producer.setCompressMsgBodyOverHowmuch(compress ? 512 : Integer.MAX_VALUE);
    }

    public static void main(String[] args) throws Exception {
        Map<String, String> options = Peer.options(args);
        Produce produce = new Produce(options);
        produce.producer.start();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < Peer.number(options, "threads", 4); i++) {
            Thread thread = new Thread(() -> produce.run(options.getOrDefault("way", "sync")));
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) thread.join();
        produce.producer.shutdown();
        Peer.say("END");
        System.exit(0);
    }

    private void run(String way) {
        while (acked.get() < count) {
            try {
                send(way);
            } catch (Exception error) {
                fail(nameOf(error));
            }
        }
    }

    private void send(String way) throws Exception {
        if (way.equals("batch")) {
            List<Message> messages = new ArrayList<>();
            for (int i = 0; i < BATCH; i++) messages.add(message());
            SendResult result = producer.send(messages);
            String[] ids = result.getMsgId().split(",");
            for (int i = 0; i < BATCH; i++) report(messages.get(i), ids[i], result, i);
            return;
        }
        Message message = message();
        if (way.equals("oneway")) {
            producer.sendOneway(message);
            Peer.say("SENT", message.getKeys());
            acked.incrementAndGet();
        } else if (way.equals("async")) {
            room.acquire();
            producer.send(message, new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    report(message, result.getMsgId(), result, 0);
                    room.release();
                }

                @Override
                public void onException(Throwable error) {
                    fail(nameOf(error));
                    room.release();
                }
            });
        } else {
            SendResult result = producer.send(message);
            report(message, result.getMsgId(), result, 0);
        }
    }

    private void report(Message message, String id, SendResult result, int place) {
        if (result.getSendStatus() != SendStatus.SEND_OK) {
            fail(result.getSendStatus().name());
            return;
        }
        acked.incrementAndGet();
        try {
            Peer.say("OK", id, result.getMessageQueue().getQueueId(), result.getQueueOffset() + place, message.getKeys(),
                message.getTags(), message.getUserProperty("number"), message.getUserProperty("hash"));
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    /** The client wraps what a connection says; what a broker says has a code. */
    private static String nameOf(Throwable error) {
        Throwable cause = error.getCause() == null ? error : error.getCause();
        return cause instanceof MQBrokerException refused ? "code-" + refused.getResponseCode() : cause.getClass().getSimpleName();
    }

    private void fail(String how) {
        Peer.say("FAILED", how);
        try {
            Thread.sleep(PAUSE_MS); // a broker that is away would be asked without end
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }

    /** Mostly small, some of a few pages, and a few as large as they may be. */
    private int size(int number) {
        if (number % 1000 == 500) return maxSize;
        if (number % 50 == 25) return Math.min(maxSize, 65_536);
        return number * 37 % Math.min(maxSize, 1500);
    }

    private Message message() throws Exception {
        int number = next.getAndIncrement();
        byte[] body = new byte[Math.max(1, size(number))];
        if (compress) Arrays.fill(body, (byte) ('a' + number % 26));
        else new Random(number).nextBytes(body);
        Message message = new Message(topic, "Tag" + number % 3, topic + "-" + number, body);
        message.setWaitStoreMsgOK(wait);
        message.putUserProperty("number", String.valueOf(number));
        message.putUserProperty("hash", Peer.hash(body));
        return message;
    }
}
