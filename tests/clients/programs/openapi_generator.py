import sys

from openapi_client import Address, Addresses, AddressObject, ApiClient, Configuration, MessagesApi, Send

with ApiClient(Configuration(host=sys.argv[1], access_token=sys.argv[2])) as client:
    messages = MessagesApi(client)
    # The generated code cannot serialize a list of strings here, but a list of objects.
    to = [Address(AddressObject(email="ada@example.com")), Address(AddressObject(email="grace@example.com", name="Grace"))]
    mail = Send(**{"from": Address("Shop <orders@shop.example>")}, to=Addresses(to), subject="Your order", text="Thank you.\n")
    accepted = messages.create_message(mail)
    print(accepted.id, messages.get_message(accepted.id).recipients[0].status.value)
