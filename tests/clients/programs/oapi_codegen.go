package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	ctx := context.Background()
	client, err := NewClientWithResponses(os.Args[1], WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+os.Args[2])
		return nil
	}))
	must(err)
	var from, ada, grace Address
	var to Addresses
	name, subject, text := "Grace", "Your order", "Thank you.\n"
	must(from.FromAddress0("Shop <orders@shop.example>"))
	must(ada.FromAddress0("ada@example.com"))
	must(grace.FromAddressObject(AddressObject{Email: "grace@example.com", Name: &name}))
	must(to.FromAddresses1(Addresses1{ada, grace}))
	sent, err := client.CreateMessageWithResponse(ctx, nil, Send{From: from, To: &to, Subject: &subject, Text: &text})
	must(err)
	if sent.JSON202 == nil {
		log.Fatal(string(sent.Body))
	}
	read, err := client.GetMessageWithResponse(ctx, sent.JSON202.Id, nil)
	must(err)
	fmt.Println(sent.JSON202.Id, read.JSON200.Recipients[0].Status)
}
