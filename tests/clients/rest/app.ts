// A program over REST with the types of openapi-typescript. Arguments: address, key.
import createClient from "openapi-fetch";
import type { paths } from "./api";

const [baseUrl = "", key = ""] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });

async function main(): Promise<void> {
  const made = await client.POST("/cases", {
    body: {
      name: "Generated",
      file_number: "TS 1",
      status: "active",
      parties: [{ name: "Erika", role: "client" }],
      staff: [],
    },
  });
  if (made.data === undefined) throw new Error(JSON.stringify(made.error));
  const { id } = made.data;
  const params = { path: { case_id: id } };
  const read = await client.GET("/cases/{case_id}", { params });
  const tag = read.response.headers.get("ETag") ?? "";
  const header = { "If-Match": tag };
  const closed = await client.PUT("/cases/{case_id}", {
    params: { ...params, header },
    body: { status: "closed" },
  });
  const late = await client.PUT("/cases/{case_id}", {
    params: { ...params, header },
    body: { name: "late" },
  });
  const parties = await client.GET("/cases/{case_id}/parties", { params });
  const found = await client.GET("/cases", { params: { query: { search: "TS 1" } } });
  const deleted = await client.DELETE("/cases/{case_id}", { params });
  const gone = await client.GET("/cases/{case_id}", { params });
  console.log(
    JSON.stringify({
      created: made.response.status,
      parties: parties.data?.data.map((it) => `${it.role}: ${it.name}`),
      updated: closed.data?.status,
      conflict: late.error?.error.code,
      found: found.data?.data.map((it) => it.name),
      deleted: deleted.response.status,
      gone: gone.error?.error.code,
    }),
  );
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
