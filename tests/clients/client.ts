// A client with the types that openapi-typescript has made (schema.ts): it uploads a picture, and downloads it again.

import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

declare const process: { argv: string[] };

const [api, token, encoded] = process.argv.slice(2) as [string, string, string];
const picture = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
const client = createClient<paths>({ baseUrl: api, headers: { Authorization: `Bearer ${token}` } });

// The size that the server tells, after it has given the same bytes back.
async function upload(send: () => ReturnType<typeof asItIs>): Promise<number | undefined> {
  const { data, error } = await send();
  if (!data) throw new Error(JSON.stringify(error));
  const file = await client.GET("/v1.0/medias/{id}", {
    params: { path: { id: data.id } },
    parseAs: "arrayBuffer",
  });
  if (!file.data) throw new Error(JSON.stringify(file.error));
  const bytes = new Uint8Array(file.data as ArrayBuffer);
  if (bytes.length !== picture.length || !bytes.every((byte, index) => byte === picture[index])) {
    throw new Error("another picture came back");
  }
  return data.size;
}

// The types say that binary is text: what is sent says what it is.
const blob = new Blob([picture], { type: "image/png" });

function asItIs() {
  return client.POST("/v1.0/medias", {
    params: { query: { filename: "menu.png" } },
    headers: { "Content-Type": "application/octet-stream" },
    body: blob as unknown as string,
    bodySerializer: (body) => body as unknown as Blob,
  });
}

function inAForm() {
  return client.POST("/v1.0/medias", {
    body: { file: blob as unknown as string },
    bodySerializer: () => {
      const form = new FormData();
      form.append("file", blob, "menu.png");
      return form;
    },
  });
}

console.log(await upload(asItIs), await upload(inAForm));
