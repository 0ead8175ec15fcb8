use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use shared::feed::chain::Chain;
use shared::feed::key::FeedSigningKey;
use shared::feed::term::Term;
use shared::id::SessionId;
use shared::label::{Definition, LabelRole};
use shared::revocation::Fact;
use shared::time::UnixMillis;
use uuid::Uuid;

use super::*;

const ISSUER: &str = "https://issuer.example.org";

/// As many films as sessions, and labels that they carry.
fn labels(films: &[u128]) -> LabelTable {
    let name = |number: usize| format!("label-{}", number % 3).parse().unwrap();
    let definition = |number: usize| LabelChange::Definition {
        name: name(number),
        definition: Some(Definition {
            anonymous: number == 0,
            roles: vec![LabelRole {
                id: Uuid::from_u128(7).into(),
                name: "subscriber".into(),
            }],
        }),
    };
    let film = |(number, id): (usize, &u128)| LabelChange::Film {
        film: Uuid::from_u128(*id).into(),
        labels: std::sync::Arc::new(
            shared::label::LabelNames::new([name(number), name(number + 1)]).unwrap(),
        ),
    };
    let table = LabelTable::default();
    // Label 2 is carried, and not defined.
    let changes: Vec<LabelChange> = (0..2)
        .map(definition)
        .chain(films.iter().enumerate().map(film))
        .collect();
    table.apply(&changes);
    table
}

/// Everything in it, to be compared.
fn parts(read: &ReadSnapshot) -> (Snapshot, Statement, Vec<Revocation>, Vec<LabelChange>) {
    let mut labels = Vec::new();
    let table = read.labels.as_ref().unwrap();
    table.for_each(|change| labels.push(change));
    labels.sort_by_key(|change| match change {
        LabelChange::Film { film, .. } => film.to_string(),
        LabelChange::Definition { .. } => format!("{change:?}"),
    });
    let ReadSnapshot {
        snapshot,
        statement,
        revocations,
        ..
    } = read;
    (snapshot.clone(), *statement, revocations.clone(), labels)
}

fn snapshot(sessions: &[u128]) -> ReadSnapshot {
    let key = FeedSigningKey::generate().unwrap();
    let term = Term::fresh(3);
    let statement = Statement {
        epoch: term,
        term,
        counter: 9,
        last: Chain::START.with(1, b"entry"),
        floor: Chain::START,
        time: UnixMillis(1_795_376_000_000),
        labels: None,
    };
    let revocation = |id: &u128| Revocation {
        fact: Fact::Session {
            session: SessionId(Uuid::from_u128(*id)),
        },
        expires: id.is_multiple_of(2).then_some(UnixMillis(1_795_377_000_000)),
    };
    let snapshot = Snapshot {
        issuer: ISSUER.to_owned(),
        jwks: Bytes::from_static(b"{\"keys\":[]}"),
        feed_keys: key.public(),
        heartbeat: statement.sign(&key),
    };
    ReadSnapshot {
        snapshot,
        statement,
        revocations: sessions.iter().map(revocation).collect(),
        labels: Some(labels(sessions)),
    }
}

fn write(read: &ReadSnapshot, path: &Path) -> Result<(), SnapshotError> {
    read.snapshot.write(path, read.labels.as_ref(), |take| {
        read.revocations.iter().cloned().for_each(take);
    })
}

fn written(snapshot: &ReadSnapshot) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot");
    write(snapshot, &path).unwrap();
    (folder, path)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_is_read_again(sessions in proptest::collection::vec(any::<u128>(), 0..50)) {
        let snapshot = snapshot(&sessions);
        let (_folder, path) = written(&snapshot);
        let read = Snapshot::read(&path, ISSUER).unwrap();
        prop_assert_eq!(parts(&read), parts(&snapshot));
    }

    #[test]
    fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut content = MAGIC.to_vec();
        content.extend(VERSION.to_be_bytes());
        content.extend(bytes);
        let sum = digest(&SHA256, &content);
        content.extend(sum.as_ref());
        prop_assert!(Snapshot::from_bytes(&content).is_err());
    }
}

#[test]
fn labels_that_are_not_known_are_not_there() {
    let without = ReadSnapshot {
        labels: None,
        ..snapshot(&[1])
    };
    let (_folder, path) = written(&without);
    let read = Snapshot::read(&path, ISSUER).unwrap();
    assert!(read.labels.is_none() && read.revocations == without.revocations);
}

/// Attack: a snapshot file that was cut off or altered
/// Source: CWE-345
/// Result: it is not used
#[test]
fn every_cut_and_every_altered_byte_is_refused() {
    let (_folder, path) = written(&snapshot(&[1, 2, 3]));
    let bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        assert!(Snapshot::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        assert!(Snapshot::from_bytes(&altered).is_err(), "byte {at}");
    }
    let longer = [bytes.as_slice(), b"x"].concat();
    assert!(matches!(
        Snapshot::from_bytes(&longer),
        Err(SnapshotError::Damaged)
    ));
    assert!(Snapshot::from_bytes(&bytes).is_ok());
}

#[test]
fn it_is_its_owners_alone_and_replaces_what_was_there() {
    let first = snapshot(&[1]);
    let (folder, path) = written(&first);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, FILE_MODE);
    // Left over from a program that was killed in the middle.
    let beside = beside(&path).unwrap();
    fs::write(&beside, "half").unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o644)).unwrap();
    let second = snapshot(&[1, 2]);
    write(&second, &path).unwrap();
    assert_eq!(parts(&Snapshot::read(&path, ISSUER).unwrap()), parts(&second));
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, FILE_MODE);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left over"
    );
}

#[test]
fn what_cannot_be_written_leaves_what_was_there() {
    let first = snapshot(&[1]);
    let (_folder, path) = written(&first);
    fs::create_dir(beside(&path).unwrap()).unwrap();
    assert!(matches!(write(&snapshot(&[2]), &path), Err(SnapshotError::Io(_))));
    assert_eq!(parts(&Snapshot::read(&path, ISSUER).unwrap()), parts(&first));
    assert!(write(&snapshot(&[]), Path::new("/")).is_err());
}

#[test]
fn others_are_refused() {
    let good = snapshot(&[1]);
    let (_folder, path) = written(&good);
    assert!(matches!(
        Snapshot::read(&path, "https://another.example.org"),
        Err(SnapshotError::AnotherIssuer(_))
    ));
    let mut forged = good;
    forged.snapshot.feed_keys = FeedSigningKey::generate().unwrap().public();
    write(&forged, &path).unwrap();
    assert!(matches!(
        Snapshot::read(&path, ISSUER),
        Err(SnapshotError::Heartbeat(_))
    ));
    File::create(&path)
        .unwrap()
        .set_len(u64::try_from(SNAPSHOT_BYTES_MAX).unwrap() + 1)
        .unwrap();
    assert!(matches!(
        Snapshot::read(&path, ISSUER),
        Err(SnapshotError::TooLarge)
    ));
    fs::write(&path, "{}").unwrap();
    assert!(matches!(
        Snapshot::read(&path, ISSUER),
        Err(SnapshotError::Foreign)
    ));
}
