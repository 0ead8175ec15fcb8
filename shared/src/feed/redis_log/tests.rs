//! The model and a real server, told the same, say the same; and what only a real server can do.

use tokio::time::Instant;

use super::*;
use crate::feed::log::LogBody;
use crate::feed::term::Term;
use crate::feed::writer::{Append, Appended, FeedWriter, PointerRule};
use crate::redis::RedisSettings;
use crate::testkit::{ModelLog, RedisServer};

mod conformance;

/// What a verifier's user of Redis may do.
const READER: &str = "user verifier on >read-only ~{usher}:feed:* resetchannels -@all +ping +get +hget +xread +xrange +xrevrange";

fn log_at(url: &str) -> RedisLog {
    RedisLog::new(RedisClient::open(&RedisSettings::at(url)).unwrap())
}

fn entry(seq: u64) -> LogItem {
    LogItem {
        id: ItemId::entry(seq),
        body: LogBody::Entry(format!("entry {seq}\0").into_bytes()),
    }
}

/// Begins an epoch of these items, in force.
fn beginning(term: Term, items: Vec<LogItem>) -> Append {
    Append {
        term,
        epoch: term,
        pointer: PointerRule::BringIntoForce { instead_of: None },
        expected_last: None,
        items,
        keep_from: None,
        table: None,
        replaced_table: None,
    }
}

fn reason(error: &LogError) -> String {
    match error {
        LogError::Away(why) => format!("away: {why}"),
        LogError::Unreadable(what) => format!("unreadable: {what}"),
    }
}

#[tokio::test]
async fn an_unseen_stream_goes_away_by_itself_and_one_in_force_stays() {
    let Some(server) = RedisServer::start_or_skip("unseen streams", "") else {
        return;
    };
    let mut log = log_at(&server.url());
    let (old, new) = (Term::fresh(1), Term::fresh(2));
    for term in [old, new] {
        assert!(log.claim(term).await.unwrap());
        let mut append = beginning(term, vec![entry(1)]);
        append.pointer = PointerRule::Unseen;
        assert_eq!(log.append(append).await.unwrap(), Appended::Written);
        let lives_for: i64 = server
            .command(&["PTTL", &stream_key(term)])
            .trim_start_matches(':')
            .parse()
            .unwrap();
        assert!((590_000..=600_000).contains(&lives_for), "{lives_for}");
    }
    let mut append = beginning(new, vec![entry(2)]);
    append.expected_last = Some(ItemId::entry(1));
    append.pointer = PointerRule::BringIntoForce {
        instead_of: Some(old),
    };
    assert_eq!(log.append(append).await.unwrap(), Appended::Written);
    assert_eq!(server.command(&["PTTL", &stream_key(new)]), ":-1");
    assert_eq!(server.command(&["EXISTS", &stream_key(old)]), ":0");
}

#[tokio::test]
async fn a_table_stays_while_it_is_needed_and_a_while_longer() {
    let Some(server) = RedisServer::start_or_skip("tables", "") else {
        return;
    };
    let mut log = log_at(&server.url());
    let (term, old, new) = (Term::fresh(1), TableId::fresh(), TableId::fresh());
    log.claim(term).await.unwrap();
    let lives_for = |table| {
        let answer = server.command(&["PTTL", &table_key(table)]);
        answer.trim_start_matches(':').parse::<i64>().unwrap()
    };
    let ten_minutes = 590_000..=600_000;
    for table in [old, new] {
        assert!(log.put_chunk(term, table, 0, b"chunk").await.unwrap());
        assert!(ten_minutes.contains(&lives_for(table)));
    }
    let mut append = beginning(term, vec![entry(1)]);
    append.table = Some(old);
    assert_eq!(log.append(append).await.unwrap(), Appended::Written);
    assert!(lives_for(old) > 24 * 3_600_000);
    let mut append = beginning(term, vec![entry(2)]);
    (append.expected_last, append.pointer) = (Some(ItemId::entry(1)), PointerRule::InForce);
    (append.table, append.replaced_table) = (Some(new), Some(old));
    assert_eq!(log.append(append).await.unwrap(), Appended::Written);
    assert!(lives_for(new) > 24 * 3_600_000);
    assert!(ten_minutes.contains(&lives_for(old)), "who reads it can read on");
    assert_eq!(log.chunk(old, 0).await.unwrap(), Some(b"chunk".to_vec()));
}

#[tokio::test]
async fn what_is_deleted_at_the_end_of_a_stream_is_noticed_before_anything_is_written() {
    let Some(server) = RedisServer::start_or_skip("deleted ends", "") else {
        return;
    };
    let mut log = log_at(&server.url());
    let term = Term::fresh(1);
    log.claim(term).await.unwrap();
    log.append(beginning(term, vec![entry(1), entry(2)]))
        .await
        .unwrap();
    let elsewhere = |seq| Appended::Elsewhere(Some(ItemId::entry(seq)));
    let mut append = beginning(term, vec![entry(2), entry(3)]);
    append.expected_last = Some(ItemId::entry(1));
    server.command(&["XDEL", &stream_key(term), "2-0"]);
    assert_eq!(log.append(append.clone()).await.unwrap(), elsewhere(2));
    append.expected_last = None;
    server.command(&["XDEL", &stream_key(term), "1-0"]);
    assert_eq!(log.append(append).await.unwrap(), elsewhere(2));
    assert_eq!(log.range(term, ItemId::default(), 9).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_no_feed_cannot_be_read() {
    let Some(server) = RedisServer::start_or_skip("no feed", "") else {
        return;
    };
    let mut log = log_at(&server.url());
    let epoch = Term::fresh(1);
    server.command(&["SET", POINTER_KEY, "nonsense"]);
    server.command(&["RPUSH", TERM_KEY, "a list"]);
    server.command(&["SET", &stream_key(epoch), "no stream"]);
    let errors = [
        log.pointer().await.map(drop).unwrap_err(),
        log.term().await.map(drop).unwrap_err(),
        log.claim(epoch).await.map(drop).unwrap_err(),
        log.newest(epoch, None, 1).await.map(drop).unwrap_err(),
        log.range(epoch, ItemId::default(), 1)
            .await
            .map(drop)
            .unwrap_err(),
        log.follow(epoch, ItemId::default(), 1, Duration::ZERO)
            .await
            .map(drop)
            .unwrap_err(),
    ];
    for error in &errors {
        assert!(matches!(error, LogError::Unreadable(_)), "{}", reason(error));
    }
    server.command(&["DEL", TERM_KEY]);
    assert!(log.claim(epoch).await.unwrap(), "it goes on");
}

#[tokio::test]
async fn a_server_that_was_away_is_connected_to_anew() {
    let Some(mut server) = RedisServer::start_or_skip("reconnecting", "") else {
        return;
    };
    let mut log = log_at(&server.url());
    let term = Term::fresh(1);
    assert!(log.claim(term).await.unwrap());
    log.append(beginning(term, vec![entry(1)])).await.unwrap();
    server.kill();
    let error = log.pointer().await.unwrap_err();
    assert!(matches!(error, LogError::Away(_)), "{}", reason(&error));
    server.restart();
    // It knows no script any more.
    let mut append = beginning(term, vec![entry(2)]);
    append.expected_last = Some(ItemId::entry(1));
    assert_eq!(log.append(append).await.unwrap(), Appended::Written);
    assert_eq!(log.pointer().await.unwrap(), Some(term));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_away_within_three_seconds() {
    let Some(server) = RedisServer::start_or_skip("a stalled server", "") else {
        return;
    };
    let (mut connected, mut following, mut fresh) = (
        log_at(&server.url()),
        log_at(&server.url()),
        log_at(&server.url()),
    );
    assert_eq!(connected.pointer().await.unwrap(), None);
    let epoch = Term::fresh(1);
    let nothing = following
        .follow(epoch, ItemId::default(), 1, Duration::from_millis(1))
        .await;
    assert_eq!(nothing.unwrap(), []);
    server.stall();
    let began = Instant::now();
    let (one, two, three) = tokio::join!(
        connected.pointer(),
        fresh.pointer(),
        following.follow(epoch, ItemId::default(), 1, Duration::from_secs(1)),
    );
    assert!(began.elapsed() < Duration::from_millis(3500));
    for error in [one.map(drop), two.map(drop), three.map(drop)].map(Result::unwrap_err) {
        assert!(matches!(error, LogError::Away(_)), "{}", reason(&error));
    }
    server.resume();
    assert_eq!(connected.pointer().await.unwrap(), None);
}

#[tokio::test]
async fn a_waiting_reader_hears_at_once() {
    let Some(server) = RedisServer::start_or_skip("waiting", "") else {
        return;
    };
    let (mut reader, mut writer) = (log_at(&server.url()), log_at(&server.url()));
    let term = Term::fresh(1);
    writer.claim(term).await.unwrap();
    writer.append(beginning(term, vec![entry(1)])).await.unwrap();
    let follow = reader.follow(term, ItemId::entry(1), 9, Duration::from_secs(10));
    let write = async {
        let mut append = beginning(term, vec![entry(2), entry(3)]);
        append.expected_last = Some(ItemId::entry(1));
        writer.append(append).await.unwrap();
    };
    let began = Instant::now();
    let (followed, ()) = tokio::join!(follow, write);
    assert_eq!(followed.unwrap(), [entry(2), entry(3)]);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_verifiers_user_can_read_the_feed_and_nothing_else() {
    let Some(server) = RedisServer::start_or_skip("the verifiers' user", READER) else {
        return;
    };
    let mut writer = log_at(&server.url());
    let term = Term::fresh(1);
    writer.claim(term).await.unwrap();
    writer.append(beginning(term, vec![entry(1)])).await.unwrap();
    let url = server.url().replace("redis://", "redis://verifier:read-only@");
    let mut reader = log_at(&url);
    assert_eq!(reader.pointer().await.unwrap(), Some(term));
    assert_eq!(reader.newest(term, None, 1).await.unwrap(), [entry(1)]);
    assert_eq!(
        reader.range(term, ItemId::default(), 1).await.unwrap(),
        [entry(1)]
    );
    let followed = reader
        .follow(term, ItemId::default(), 1, Duration::from_millis(5))
        .await;
    assert_eq!(followed.unwrap(), [entry(1)]);

    let other = Term::fresh(2);
    let mut append = beginning(term, vec![entry(2)]);
    append.expected_last = Some(ItemId::entry(1));
    let refused = [
        reader.claim(other).await.map(drop),
        reader.append(append).await.map(drop),
        reader
            .ask(cmd("GET").arg("another"), ANSWER_WITHIN)
            .await
            .map(drop),
        reader
            .ask(cmd("SET").arg(POINTER_KEY).arg("x"), ANSWER_WITHIN)
            .await
            .map(drop),
        reader
            .ask(cmd("DEL").arg(stream_key(term)), ANSWER_WITHIN)
            .await
            .map(drop),
    ];
    for refusal in refused {
        let why = reason(&refusal.unwrap_err());
        assert!(
            why.contains("no permissions") && !why.contains("read-only"),
            "{why}"
        );
    }
    assert_eq!(writer.term().await.unwrap(), Some(term));

    let why = reason(
        &log_at(&url.replace("read-only", "guessed"))
            .pointer()
            .await
            .unwrap_err(),
    );
    assert!(why.starts_with("away") && !why.contains("guessed"), "{why}");
}

#[tokio::test]
async fn a_verifiers_user_needs_each_of_its_commands() {
    let Some(server) = RedisServer::start_or_skip("the verifiers' user's commands", "") else {
        return;
    };
    let (words, url) = (
        READER.replacen("user ", "", 1),
        server.url().replace("redis://", "redis://verifier:read-only@"),
    );
    let epoch = Term::fresh(1);
    for missing in ["get", "hget", "xread", "xrange", "xrevrange"] {
        let mut command = vec!["ACL", "SETUSER", "verifier", "reset"];
        command.extend(words.split(' ').skip(1));
        let taken = format!("-{missing}");
        command.push(&taken);
        assert_eq!(server.command(&command), "+OK");
        let mut reader = log_at(&url);
        let outcomes = [
            reader.pointer().await.is_err(),
            reader
                .follow(epoch, ItemId::default(), 1, Duration::ZERO)
                .await
                .is_err(),
            reader.range(epoch, ItemId::default(), 1).await.is_err(),
            reader.newest(epoch, None, 1).await.is_err(),
            reader.chunk(TableId::fresh(), 0).await.is_err(),
        ];
        assert_eq!(
            outcomes.iter().filter(|is_error| **is_error).count(),
            1,
            "{missing}"
        );
    }
}
