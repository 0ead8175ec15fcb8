// Judges access tokens with jsonwebtoken, which has its keys from jwks-rsa, one a line, and says of each what it found, as
// JSON.
//
//     node jwks_rsa.mjs ISSUER AUDIENCE

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

// The folders of NODE_PATH are looked into by `require` alone.
const require = createRequire(import.meta.url);
const jwksRsa = require("jwks-rsa");
const jwt = require("jsonwebtoken");

const [issuer, audience] = process.argv.slice(2);
const answer = await fetch(`${issuer}/.well-known/openid-configuration`);
const metadata = await answer.json();
const client = jwksRsa({ jwksUri: metadata.jwks_uri, cache: true, rateLimit: true });
const keyOf = (header, done) => {
  client.getSigningKey(header.kid).then((key) => done(null, key.getPublicKey()), done);
};
const verify = promisify(jwt.verify);

async function judge(token) {
  try {
    return await verify(token, keyOf, { issuer: metadata.issuer, audience, algorithms: ["RS256"] });
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await judge(line.trim())));
}
