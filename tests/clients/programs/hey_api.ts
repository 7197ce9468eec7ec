import { client } from "./client/client.gen";
import { createMessage, getMessage, type Send, type State } from "./client";

client.setConfig({ baseUrl: process.argv[2], auth: () => process.argv[3] });
const body: Send = {
  from: "Shop <orders@shop.example>",
  to: ["ada@example.com", { email: "grace@example.com", name: "Grace" }],
  subject: "Your order",
  text: "Thank you.\n",
};

async function main() {
  const { data, error } = await createMessage({ body });
  if (!data) throw new Error(error.code);
  const read = await getMessage({ path: { id: data.id } });
  const status: State | undefined = read.data?.recipients[0].status;
  console.log(data.id, status);
}
main();
