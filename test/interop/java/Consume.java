import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;

/**
 * A push consumer from the first offset on; says what comes, and ends when its input ends. Options: namesrv, topic, group; tags, listener
 * (concurrent, orderly), model (clustering, broadcasting), instance, pauseMs for each message, clientIP.
 */
public final class Consume {
    private static final int POLL_MS = 50;

    private Consume() {}

    public static void main(String[] args) throws Exception {
        Map<String, String> options = Peer.options(args);
        int pauseMs = Peer.number(options, "pauseMs", 0);
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(options.get("group"));
        consumer.setNamesrvAddr(options.get("namesrv"));
        consumer.setInstanceName(options.getOrDefault("instance", "consume"));
        if (options.containsKey("clientIP")) consumer.setClientIP(options.get("clientIP"));
        consumer.setPollNameServerInterval(1000);
        consumer.setPersistConsumerOffsetInterval(1000);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setMessageModel("broadcasting".equals(options.get("model")) ? MessageModel.BROADCASTING : MessageModel.CLUSTERING);
        if (pauseMs > 0) {
            consumer.setConsumeThreadMin(1);
            consumer.setConsumeThreadMax(1);
        }
        consumer.subscribe(options.get("topic"), options.getOrDefault("tags", "*"));
        if ("orderly".equals(options.get("listener"))) {
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                take(messages, pauseMs);
                return ConsumeOrderlyStatus.SUCCESS;
            });
        } else {
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                take(messages, pauseMs);
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
        }
        consumer.start();
        Peer.say("READY");
        Thread watch = new Thread(() -> sayWhenAssigned(consumer));
        watch.setDaemon(true);
        watch.start();
        Peer.awaitEndOfInput();
        consumer.shutdown();
        Peer.say("END");
        System.exit(0);
    }

    /** From then on it pulls. */
    private static void sayWhenAssigned(DefaultMQPushConsumer consumer) {
        try {
            while (consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().isEmpty()) Thread.sleep(POLL_MS);
            Peer.say("ASSIGNED");
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }

    private static void take(List<MessageExt> messages, int pauseMs) {
        for (MessageExt message : messages) {
            Peer.printReceived(message);
            if (pauseMs == 0) continue;
            try {
                Thread.sleep(pauseMs);
            } catch (InterruptedException error) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
