// Every group call of Mixpanel's Java library, against the URL given: one by one, and many in one request.

import com.mixpanel.mixpanelapi.ClientDelivery;
import com.mixpanel.mixpanelapi.MessageBuilder;
import com.mixpanel.mixpanelapi.MixpanelAPI;
import com.mixpanel.mixpanelapi.MixpanelMessageException;
import com.mixpanel.mixpanelapi.MixpanelServerException;
import java.util.List;
import java.util.Map;
import org.json.JSONArray;
import org.json.JSONObject;

public class Main {
    public static void main(String[] arguments) throws Exception {
        String url = arguments[0];
        MixpanelAPI mixpanel = new MixpanelAPI(url + "/track", url + "/engage", url + "/groups");
        MessageBuilder builder = new MessageBuilder("token");
        List<JSONObject> messages = List.of(
            builder.groupSet("company", "acme", new JSONObject(Map.of("name", "Acme", "plan", "free"))),
            builder.groupSetOnce("company", "acme", new JSONObject(Map.of("plan", "paid", "since", 2020))),
            builder.groupUnion("company", "acme", Map.of("tags", new JSONArray(List.of("a", "b")))),
            builder.groupUnion("company", "acme", Map.of("tags", new JSONArray(List.of("b", "c")))),
            builder.groupRemove("company", "acme", new JSONObject(Map.of("tags", "b"))),
            builder.groupUnset("company", "acme", List.of("name")),
            builder.groupSet("company", "gone", new JSONObject(Map.of("x", 1))),
            builder.groupDelete("company", "gone"));
        for (JSONObject message : messages) {
            mixpanel.sendMessage(message);
        }
        ClientDelivery delivery = new ClientDelivery();
        messages.forEach(delivery::addMessage);
        mixpanel.deliver(delivery);
        try {
            mixpanel.sendMessage(builder.groupSet("company", "reject-me", new JSONObject(Map.of("x", 1))));
        } catch (MixpanelMessageException | MixpanelServerException refused) {
            System.out.println(refused.getMessage());
        }
    }
}
