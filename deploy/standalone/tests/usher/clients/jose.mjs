// Judges access tokens with jose, one a line, and says of each what it found, as JSON.
//
//     node jose.mjs ISSUER AUDIENCE

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

// The folders of NODE_PATH are looked into by `require` alone.
const found = createRequire(import.meta.url).resolve("jose");
const { createRemoteJWKSet, errors, jwtVerify } = await import(pathToFileURL(found));

const [issuer, audience] = process.argv.slice(2);
const answer = await fetch(`${issuer}/.well-known/oauth-authorization-server`);
const metadata = await answer.json();
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));

async function judge(token) {
  try {
    const expected = { issuer: metadata.issuer, audience, algorithms: ["RS256"], typ: "at+jwt" };
    return (await jwtVerify(token, keys, expected)).payload;
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error;
    return { error: error.code };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await judge(line.trim())));
}
