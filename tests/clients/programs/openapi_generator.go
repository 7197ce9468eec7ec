package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"postern.test/postern"
)

func main() {
	ctx := context.WithValue(context.Background(), postern.ContextAccessToken, os.Args[2])
	configuration := postern.NewConfiguration()
	configuration.Servers = postern.ServerConfigurations{{URL: os.Args[1]}}
	messages := postern.NewAPIClient(configuration).MessagesAPI

	from, ada := "Shop <orders@shop.example>", "ada@example.com"
	grace := postern.NewAddressObject("grace@example.com")
	grace.SetName("Grace")
	mail := postern.NewSend(postern.StringAsAddress(&from))
	mail.SetTo(postern.ArrayOfAddressAsAddresses(&[]postern.Address{postern.StringAsAddress(&ada), postern.AddressObjectAsAddress(grace)}))
	mail.SetSubject("Your order")
	mail.SetText("Thank you.\n")
	accepted, _, err := messages.CreateMessage(ctx).Send(*mail).Execute()
	if err != nil {
		log.Fatal(err)
	}
	read, _, err := messages.GetMessage(ctx, accepted.Id).Execute()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(accepted.Id, read.Recipients[0].Status)
}
