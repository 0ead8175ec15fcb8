//! One suite for whatever keeps a feed, run against the model and against a real server.

use super::*;

fn heartbeat(seq: u64, k: u64) -> LogItem {
    LogItem {
        id: ItemId { seq, k },
        body: LogBody::Heartbeat(vec![0, 255, u8::try_from(k).unwrap()]),
    }
}

const NOW: Duration = Duration::ZERO;

async fn claims<L: FeedWriter>(log: &mut L) {
    let (low, high, twin) = (Term::fresh(9), Term::fresh(10), Term::fresh(10));
    assert_eq!(
        (log.term().await.unwrap(), log.pointer().await.unwrap()),
        (None, None)
    );
    assert!(log.claim(low).await.unwrap());
    assert!(log.claim(low).await.unwrap(), "ours already");
    assert!(
        log.claim(high).await.unwrap(),
        "10 is above 9, though not as text"
    );
    assert!(!log.claim(low).await.unwrap());
    assert!(!log.claim(twin).await.unwrap(), "the same number, another holder");
    assert_eq!(log.term().await.unwrap(), Some(high));
    // Two numbers that a double cannot tell apart.
    let (great, greater) = (Term::fresh(u64::MAX - 1), Term::fresh(u64::MAX));
    assert!(log.claim(greater).await.unwrap());
    assert!(!log.claim(great).await.unwrap());
}

async fn writes<L: FeedWriter>(log: &mut L) {
    let (term, other) = (Term::fresh(1), Term::fresh(1));
    let items = vec![entry(1), entry(2), heartbeat(2, 1)];
    let last = Some(ItemId { seq: 2, k: 1 });
    let begin = beginning(term, items.clone());
    assert_eq!(log.append(begin.clone()).await.unwrap(), Appended::TermEnded);
    log.claim(term).await.unwrap();
    let foreign = Append {
        term: other,
        ..begin.clone()
    };
    assert_eq!(log.append(foreign).await.unwrap(), Appended::TermEnded);
    let in_force = Append {
        pointer: PointerRule::InForce,
        ..begin.clone()
    };
    assert_eq!(log.append(in_force).await.unwrap(), Appended::NotInForce);
    let nowhere = Append {
        expected_last: last,
        ..begin.clone()
    };
    assert_eq!(log.append(nowhere).await.unwrap(), Appended::Elsewhere(None));
    let unseen = Append {
        pointer: PointerRule::Unseen,
        ..begin.clone()
    };
    assert_eq!(log.append(unseen.clone()).await.unwrap(), Appended::Written);
    assert_eq!(log.pointer().await.unwrap(), None, "nobody knows of it yet");
    assert_eq!(log.append(unseen).await.unwrap(), Appended::Elsewhere(last));
    assert_eq!(log.range(term, ItemId::default(), 9).await.unwrap(), items);

    let bring = Append {
        expected_last: last,
        items: vec![heartbeat(2, 2)],
        ..begin
    };
    assert_eq!(log.append(bring).await.unwrap(), Appended::Written);
    assert_eq!(log.pointer().await.unwrap(), Some(term));
    let trim = Append {
        term,
        epoch: term,
        pointer: PointerRule::InForce,
        expected_last: Some(ItemId { seq: 2, k: 2 }),
        items: vec![heartbeat(2, 3)],
        keep_from: Some(ItemId { seq: 2, k: 1 }),
        table: None,
        replaced_table: None,
    };
    assert_eq!(log.append(trim).await.unwrap(), Appended::Written);
    let left = [heartbeat(2, 1), heartbeat(2, 2), heartbeat(2, 3)];
    assert_eq!(log.range(term, ItemId::default(), 9).await.unwrap(), left);

    let next = Term::fresh(2);
    log.claim(next).await.unwrap();
    let replace = Append {
        pointer: PointerRule::BringIntoForce {
            instead_of: Some(term),
        },
        ..beginning(next, vec![heartbeat(0, 1)])
    };
    assert_eq!(log.append(replace).await.unwrap(), Appended::Written);
    assert_eq!(log.pointer().await.unwrap(), Some(next));
    assert_eq!(
        log.newest(term, None, 1).await.unwrap(),
        [],
        "the old one is gone"
    );
}

async fn reads<L: FeedWriter>(log: &mut L) {
    let (term, absent) = (Term::fresh(1), Term::fresh(1));
    log.claim(term).await.unwrap();
    let items = vec![
        heartbeat(0, 1),
        entry(1),
        heartbeat(1, 1),
        heartbeat(1, 2),
        entry(2),
        entry(3),
    ];
    log.append(beginning(term, items.clone())).await.unwrap();
    let at = |seq, k| ItemId { seq, k };

    assert_eq!(log.newest(absent, None, 3).await.unwrap(), []);
    assert_eq!(log.range(absent, at(0, 0), 3).await.unwrap(), []);
    assert_eq!(log.follow(absent, at(0, 0), 3, NOW).await.unwrap(), []);

    assert_eq!(log.newest(term, None, 2).await.unwrap(), [entry(3), entry(2)]);
    assert_eq!(
        log.newest(term, Some(at(1, 2)), 2).await.unwrap(),
        [heartbeat(1, 2), heartbeat(1, 1)],
        "the place itself is among them"
    );
    assert_eq!(
        log.newest(term, at(2, 0).before(), 1).await.unwrap(),
        [heartbeat(1, 2)]
    );
    assert_eq!(log.newest(term, None, 99).await.unwrap().len(), items.len());
    assert_eq!(log.range(term, at(1, 2), 2).await.unwrap(), items[3..5]);
    assert_eq!(log.range(term, at(4, 0), 2).await.unwrap(), []);
    assert_eq!(log.follow(term, at(1, 2), 9, NOW).await.unwrap(), items[4..]);
    assert_eq!(log.follow(term, at(1, 2), 1, NOW).await.unwrap(), items[4..5]);
    let wait = Duration::from_millis(20);
    assert_eq!(log.follow(term, at(3, 0), 9, wait).await.unwrap(), []);
}

async fn tables<L: FeedWriter>(log: &mut L) {
    let (term, other, table) = (Term::fresh(1), Term::fresh(2), TableId::fresh());
    assert!(
        !log.put_chunk(term, table, 0, b"a").await.unwrap(),
        "no term is claimed"
    );
    log.claim(term).await.unwrap();
    assert!(!log.put_chunk(other, table, 0, b"a").await.unwrap());
    assert_eq!(log.chunk(table, 0).await.unwrap(), None);
    for (index, bytes) in [(0, &b"a\0\xff"[..]), (1, b"b"), (1, b"c")] {
        assert!(log.put_chunk(term, table, index, bytes).await.unwrap());
    }
    assert_eq!(log.chunk(table, 0).await.unwrap(), Some(b"a\0\xff".to_vec()));
    assert_eq!(log.chunk(table, 1).await.unwrap(), Some(b"c".to_vec()));
    assert_eq!(log.chunk(table, 2).await.unwrap(), None);
    assert_eq!(log.chunk(TableId::fresh(), 0).await.unwrap(), None);
}

/// Many small steps by chance, each with what the log says to it.
async fn chances<L: FeedWriter>(log: &mut L, terms: &[Term]) -> Vec<String> {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % bound
    };
    let mut said = Vec::new();
    for _ in 0..2000 {
        let mut pick = |terms: &[Term]| terms[usize::try_from(below(terms.len() as u64)).unwrap()];
        let (term, epoch, other) = (pick(terms), pick(&terms[..3]), pick(&terms[..3]));
        let newest = log.newest(epoch, None, 1).await.unwrap();
        let last = newest.first().map(|item| item.id);
        let place = ItemId {
            seq: below(6),
            k: below(3),
        };
        let step = match below(8) {
            0 => format!("{:?}", log.claim(term).await.unwrap()),
            1 => format!("{:?}", log.pointer().await.unwrap()),
            2 => format!("{:?}", log.range(epoch, place, 3).await.unwrap()),
            _ => {
                let expected_last = if below(8) == 0 { Some(place) } else { last };
                let from = expected_last.unwrap_or_default();
                let items = match below(3) {
                    0 => vec![entry(from.seq + 1)],
                    1 => vec![heartbeat(from.seq, (from.k + 1) % 256)],
                    _ => vec![entry(from.seq + 1), heartbeat(from.seq + 1, 1)],
                };
                let append = Append {
                    // Mostly the one that reigns, or hardly anything would be written.
                    term: match log.term().await.unwrap() {
                        Some(reigning) if below(8) != 0 => reigning,
                        _ => term,
                    },
                    epoch,
                    pointer: match below(6) {
                        0 => PointerRule::BringIntoForce {
                            instead_of: (below(2) == 0).then_some(other),
                        },
                        1..=2 => PointerRule::Unseen,
                        _ => PointerRule::InForce,
                    },
                    expected_last,
                    keep_from: (below(4) == 0).then_some(from),
                    table: None,
                    replaced_table: None,
                    items,
                };
                format!("{:?}", log.append(append).await.unwrap())
            }
        };
        said.push(step);
    }
    for epoch in terms {
        said.push(format!(
            "{:?}",
            log.range(*epoch, ItemId::default(), 10_000).await.unwrap()
        ));
    }
    said
}

#[tokio::test]
async fn the_model_keeps_a_feed_as_it_should() {
    claims(&mut ModelLog::default()).await;
    writes(&mut ModelLog::default()).await;
    reads(&mut ModelLog::default()).await;
    tables(&mut ModelLog::default()).await;
}

#[tokio::test]
async fn redis_keeps_a_feed_as_it_should() {
    let Some(server) = RedisServer::start_or_skip("conformance", "") else {
        return;
    };
    let empty = || {
        server.command(&["FLUSHALL"]);
        log_at(&server.url())
    };
    claims(&mut empty()).await;
    writes(&mut empty()).await;
    reads(&mut empty()).await;
    tables(&mut empty()).await;
}

#[tokio::test]
async fn a_cluster_keeps_a_feed_as_it_should() {
    let Some(nodes) = RedisServer::start_cluster_or_skip("conformance of a Cluster", 2, "") else {
        return;
    };
    let empty = || {
        for node in &nodes {
            node.command(&["FLUSHALL"]);
        }
        let cluster = nodes
            .iter()
            .map(|node| crate::secret::SecretString::from(node.url()).into())
            .collect();
        let settings = RedisSettings {
            cluster: crate::config::OneOrMany(cluster),
            ..RedisSettings::default()
        };
        RedisLog::new(RedisClient::open(&settings).unwrap())
    };
    claims(&mut empty()).await;
    writes(&mut empty()).await;
    reads(&mut empty()).await;
    tables(&mut empty()).await;
}

#[tokio::test]
async fn redis_does_what_the_model_does_whatever_comes() {
    let Some(server) = RedisServer::start_or_skip("conformance by chance", "appendfsync no") else {
        return;
    };
    let terms: Vec<Term> = (1..=5).map(Term::fresh).collect();
    let expected = chances(&mut ModelLog::default(), &terms).await;
    let said = chances(&mut log_at(&server.url()), &terms).await;
    for (step, (said, expected)) in said.iter().zip(&expected).enumerate() {
        assert_eq!(said, expected, "step {step}");
    }
    let outcomes = [
        "Written",
        "TermEnded",
        "NotInForce",
        "Elsewhere(None)",
        "Elsewhere(Some(",
    ];
    for outcome in outcomes {
        assert!(
            expected.iter().any(|said| said.starts_with(outcome)),
            "{outcome} never came"
        );
    }
}
