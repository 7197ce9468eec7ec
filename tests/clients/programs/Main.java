import java.util.List;
import org.openapitools.client.ApiClient;
import org.openapitools.client.api.MessagesApi;
import org.openapitools.client.model.*;

public class Main {
  public static void main(String[] args) throws Exception {
    ApiClient client = new ApiClient().setBasePath(args[0]);
    client.setBearerToken(args[1]);
    MessagesApi messages = new MessagesApi(client);
    Address ada = new Address("ada@example.com");
    Address grace = new Address(new AddressObject().email("grace@example.com").name("Grace"));
    Send mail = new Send()
        .from(new Address("Shop <orders@shop.example>"))
        .to(new Addresses(List.of(ada, grace)))
        .subject("Your order")
        .text("Thank you.\n");
    Accepted accepted = messages.createMessage(mail, null, null);
    Message read = messages.getMessage(accepted.getId(), null);
    System.out.println(accepted.getId() + " " + read.getRecipients().get(0).getStatus());
  }
}
