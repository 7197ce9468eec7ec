import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

const client = createClient<paths>({ baseUrl: process.argv[2], headers: { Authorization: `Bearer ${process.argv[3]}` } });
const body: components["schemas"]["Send"] = {
  from: "Shop <orders@shop.example>",
  to: ["ada@example.com", { email: "grace@example.com", name: "Grace" }],
  subject: "Your order",
  text: "Thank you.\n",
};

async function main() {
  const { data, error } = await client.POST("/v1/messages", { body });
  if (!data) throw new Error(error.code);
  const read = await client.GET("/v1/messages/{id}", { params: { path: { id: data.id } } });
  const status: components["schemas"]["State"] | undefined = read.data?.recipients[0].status;
  console.log(data.id, status);
}
main();
