//! Every bound on what comes from outside, in one place, with its unit and its reason.

use std::time::Duration;

/// The header block of a request, in bytes. Room for a token in a header and one in a cookie, and nothing like
/// the memory that a flood of larger ones would take.
pub const HEADER_BYTES_MAX: usize = 32 * 1024;

/// Header fields of one request. Browsers behind several proxies send some 40.
pub const HEADERS_MAX: usize = 100;

/// An access token, in bytes: some 700 are usual; 60 role names of 64 characters still fit.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// A JSON body, in bytes, where an endpoint does not say its own bound.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// A request's body must be complete within this time.
pub const BODY_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A message of gRPC by which a proxy asks, in bytes. A header block is most of it, and stands there once; a client's
/// certificate and what the proxy's filters have to say fit too. The body of the original request is not wanted.
pub const GRPC_MESSAGE_BYTES_MAX: usize = 128 * 1024;

/// How deep JSON from outside may nest. Nothing of ours goes past 4.
pub const JSON_DEPTH_MAX: usize = 32;

/// A JWK Set, in bytes: some 400 a key.
pub const JWKS_BYTES_MAX: usize = 256 * 1024;

/// Keys taken from a JWK Set. A rotating issuer shows two or three.
pub const JWKS_KEYS_MAX: usize = 64;

/// Signing keys that an issuer publishes at once: half of what a verifier takes.
pub const SIGNING_KEYS_MAX: usize = JWKS_KEYS_MAX / 2;

/// How often an issuer looks whether the signing keys have changed.
pub const KEYS_LOOK_EVERY: Duration = Duration::from_secs(1);

/// An issuer that has not seen the signing keys for this long is not ready: it may publish too few.
pub const KEYS_UNSEEN_MAX: Duration = Duration::from_secs(30);

/// A retired key stays published for this long beyond the last token that it signed: for clocks that disagree.
pub const KEY_MARGIN: Duration = Duration::from_mins(1);

/// How long anybody may keep a key set or metadata. Keys are published for longer before they sign.
pub const JWKS_CACHEABLE_MAX: Duration = Duration::from_mins(5);

/// A key id, in bytes.
pub const KID_BYTES_MAX: usize = 128;

/// RSA moduli, in bits: below 2048 is forbidden by RFC 7518 section 3.3, above 8192 verification is a weapon.
pub const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// How long an access token of our own may live: the most that an issuer can be told, and what its revocations are kept for.
pub const ACCESS_TTL_MAX: Duration = Duration::from_hours(24);

/// A role's name, in bytes.
pub const ROLE_NAME_BYTES_MAX: usize = 64;

/// Roles in a token. At 64 characters each more would not fit the token anyway.
pub const ROLES_MAX: usize = 128;

/// What another issuer calls a subject or a session, in bytes (`sub`: `OpenID` Connect Core section 2).
pub const FOREIGN_NAME_BYTES_MAX: usize = 255;

/// A request's path, in bytes. Servers and proxies commonly stop at 8 KiB.
pub const PATH_BYTES_MAX: usize = 8 * 1024;

/// A request's header block must be complete within this time, or the connection is closed (slow-loris).
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection without a request is closed after this time: longer than the 60 s that proxies keep theirs, so
/// that it is the proxy who closes.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// A TLS handshake must be done within this time.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A peer that takes nothing of an answer for this long is cut off.
pub const WRITE_STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// What is under way when a program stops may take this long to finish.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// Connections that wait to be accepted. Past it the kernel lets the client try again.
pub const LISTEN_BACKLOG: i32 = 4096;

/// Connections open at once on one listener.
pub const CONNECTIONS_MAX: usize = 65_536;

/// Streams that one HTTP/2 connection may have open at once.
pub const H2_STREAMS_MAX: u32 = 256;

/// A certificate chain, a private key or a set of authorities, in bytes: some 2000 a certificate.
pub const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// Items on one page of a list; [`PAGE_ITEMS_DEFAULT`] if the caller names none.
pub const PAGE_ITEMS_MAX: u32 = 100;

/// Items on a page where the caller names no number.
pub const PAGE_ITEMS_DEFAULT: u32 = 20;

/// The most that a verifier may be told to forgive in `exp` and `nbf`. Part of how long a revocation is kept.
pub const LEEWAY_MAX: Duration = Duration::from_mins(1);

/// Kept beyond the last moment at which a revocation could matter: for clocks that disagree.
pub const REVOCATION_MARGIN: Duration = Duration::from_mins(5);

/// How far an issuer's clock may be off its database's before it stops signing.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(2);

/// A rules file, in bytes: some 100 a rule.
pub const RULES_BYTES_MAX: u64 = 1024 * 1024;

/// Rules in one file.
pub const RULES_MAX: usize = 10_000;

/// Lines that are logged in a second of what shadow rules would have decided otherwise: enough to see what it is about;
/// the metrics have them all.
pub const SHADOW_LINES_PER_SECOND: u64 = 10;

/// Cases in one table for `verifier test-rules`.
pub const RULE_CASES_MAX: usize = 100_000;

/// Such a table, in bytes.
pub const RULE_CASES_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Segments of a rule's path: a lookup goes as deep.
pub const TEMPLATE_SEGMENTS_MAX: usize = 64;

/// A feed key set, in bytes: some 150 a key.
pub const FEED_KEYS_BYTES_MAX: usize = 16 * 1024;

/// Feed keys taken from a set: the one in use, and one to follow it. Each costs a signature check on a bad heartbeat.
pub const FEED_KEYS_MAX: usize = 4;

/// Revocations sent to Redis by one script: bounds how long a script holds up everybody else.
pub const FEED_BATCH: u32 = 1000;

/// Revocations read from the database at once for a new epoch.
pub const EPOCH_PAGE: u32 = 10 * FEED_BATCH;

/// Items of the stream read at once: some 40 bytes each.
pub const FEED_PAGE: usize = 10_000;

/// Items behind the newest good heartbeat through which a reader looks for it. A batch is [`FEED_BATCH`] items long, so
/// more of them were written by somebody else.
pub const FEED_TAIL_MAX: usize = 100_000;

/// Heartbeats with a bad signature through which a reader looks for a good one: each costs a signature check, some 50 µs.
pub const FEED_BAD_HEARTBEATS_MAX: usize = 1000;

/// Changes of labels that a reader keeps until they are proved, or until the table before them is there: more than a stream
/// has between one table and the next.
pub const LABEL_CHANGES_HELD_MAX: usize = 4_000_000;

/// Films in one entry of the feed, or read for one chunk of a table: some 40 bytes each, so that neither holds up revocations.
pub const LABEL_BATCH: u32 = 2000;

/// A table of labels is not written anew for fewer bytes of changes.
pub const LABEL_CHANGES_BYTES: u64 = 1024 * 1024;

/// A chunk of a table, in bytes: [`LABEL_BATCH`] films with [`FILM_LABELS_MAX`] labels of the greatest length, and every label.
pub const LABEL_CHUNK_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Sentinels, or first nodes of a Cluster, that may be named: three to five are usual, and all are asked at once.
pub const REDIS_SERVERS_MAX: usize = 32;

/// A connection to Redis on which nothing is said is probed this often: sooner than firewalls forget it, so that one
/// that leads nowhere is noticed before it is wanted.
pub const REDIS_KEEPALIVE: Duration = Duration::from_secs(15);

/// Redis must say within this time whether a login may be tried: many times what it takes, and little beside the hash of
/// a password. Later than that, the issuer decides alone. What is used if the settings name no other.
pub const RATE_LIMIT_TIMEOUT: Duration = Duration::from_millis(100);

/// The longest that an operator may grant instead: past it a login takes longer than people wait.
pub const RATE_LIMIT_TIMEOUT_MAX: Duration = Duration::from_secs(10);

/// A connection for rate limits must stand within this time. Nobody waits for it.
pub const RATE_LIMIT_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Between attempts to reach Redis for rate limits, doubled each time: soon enough for a restart to go unnoticed.
pub const RATE_LIMIT_RETRY_MIN: Duration = Duration::from_millis(250);

/// The longest such wait: limits are by the minute, so one that is missed for this long is hardly stretched.
pub const RATE_LIMIT_RETRY_MAX: Duration = Duration::from_secs(5);

/// Addresses that are remembered for one login in Redis, the newest: some 20 bytes each, for as many logins as there are.
pub const KNOWN_ADDRESSES_MAX: usize = 16;

/// A verifier's snapshot file, in bytes: some 40 a revocation, so that 20 million fit.
pub const SNAPSHOT_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// A label's name, in bytes.
pub const LABEL_NAME_BYTES_MAX: usize = 64;

/// Labels that there are at once. `X-Auth-Labels` lists them: at 64 characters each it stays within the 8 KiB that proxies
/// give the headers of an answer.
pub const LABELS_MAX: usize = 120;

/// Labels that one film carries. A caller has to satisfy each, so few make sense.
pub const FILM_LABELS_MAX: usize = 16;

/// Roles that one label names.
pub const LABEL_ROLES_MAX: usize = 128;

/// The body of a bulk request, in bytes: a million films in some 60 bytes each.
pub const BULK_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A bulk body must be complete within this time; the lines that came are taken as they come.
pub const BULK_READ_TIMEOUT: Duration = Duration::from_mins(10);

/// A line of a bulk request, in bytes: room for a film with [`FILM_LABELS_MAX`] labels of the greatest length, twice over.
pub const FILM_LINE_BYTES_MAX: usize = 4096;

/// Films that are read or written in one step: bounds how long others wait for it.
pub const FILMS_AT_ONCE: u32 = 1000;

/// Refused lines of a bulk request that are listed; the others are counted.
pub const REFUSED_LINES_MAX: usize = 1000;

/// A stored hash of a password, in bytes: PHC strings with every field at its longest are some 300.
pub const STORED_HASH_BYTES_MAX: usize = 512;

/// The most memory that a stored hash may ask for, in KiB, unless the configured parameters ask for more: 256 MiB, the most
/// that common libraries call moderate.
pub const STORED_HASH_MEMORY_KIB_MAX: u32 = 256 * 1024;

/// The most work that a stored argon2 or scrypt hash may ask for, in KiB written over all passes, unless the configured
/// parameters ask for more: 1 GiB, a second or so of a core.
pub const STORED_HASH_WORK_KIB_MAX: u64 = 1024 * 1024;

/// The most that a stored bcrypt hash may cost: some 2 s of a core, and each step more doubles it. 10 to 12 are usual.
pub const BCRYPT_COST_MAX: u32 = 15;

/// The most iterations of a stored PBKDF2 hash, over all blocks of its output: some 2 s of a core. Django's own default is
/// past a million.
pub const PBKDF2_ITERATIONS_MAX: u64 = 5_000_000;

/// The fewest bytes that a stored hash compares, as PHC strings have it: with fewer, guesses are right by accident.
pub const STORED_HASH_OUTPUT_BYTES_MIN: usize = 10;

/// A failed login is told no sooner than this after its check began, if the settings say nothing else: several times what the
/// issuer's own hash takes, so that most others fit in, and little for somebody who types again.
pub const LOGIN_FAILURE_FLOOR: Duration = Duration::from_millis(250);

/// The longest that an operator may choose instead: past it a typing error takes longer than people wait.
pub const LOGIN_FAILURE_FLOOR_MAX: Duration = Duration::from_secs(10);

/// A line of an import of users, in bytes: a login, a hash and [`ROLES_MAX`] roles of the greatest length fit.
pub const USER_LINE_BYTES_MAX: usize = 32 * 1024;

/// Users that are read or written in one step: bounds how long others wait for it.
pub const USERS_AT_ONCE: u32 = 1000;

/// Months for which the login history has its partition before they begin: an issuer that is away for as long loses
/// nothing but the ease of dropping them whole.
pub const HISTORY_MONTHS_AHEAD: u32 = 3;

/// How long a change of the login history's partitions may wait for a lock, and so have logins wait behind it. It is tried
/// again a minute later.
pub const HISTORY_LOCK_WAIT: Duration = Duration::from_millis(500);

/// Attempts that are moved into a partition of their own while logins wait. Where there are more, they stay where they are
/// until retention deletes them.
pub const HISTORY_MOVED_MAX: u32 = 20_000;

/// How large the default partition may be for another one to be made, in bytes: all of it is read meanwhile, in half a second
/// or so, while logins wait.
pub const HISTORY_SCANNED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Attempts that retention deletes in one transaction.
pub const HISTORY_DELETED_AT_ONCE: u32 = 5000;

/// Such transactions in one round of maintenance: more is left for the next.
pub const HISTORY_DELETIONS_MAX: u32 = 100;

/// Verifiers whose health the issuer shows: each is asked when somebody opens the page.
pub const VERIFIERS_LISTED_MAX: usize = 64;

/// The metrics of one verifier, in bytes: some 20 KiB, and those of an issuer beside it under `usher`.
pub const VERIFIER_METRICS_BYTES_MAX: usize = 1024 * 1024;
