use std::os::unix::fs::symlink;

use shared::token::ClaimsPolicy;

use super::*;
use crate::policy::Ask;

const OPEN: &str = "default = \"allow\"\n";
const CLOSED: &str = "default = \"deny\"\n";

struct Followed {
    folder: tempfile::TempDir,
    path: PathBuf,
    store: Arc<PolicyStore>,
    shutdown: CancellationToken,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn basis() -> Basis {
    let claims = ClaimsPolicy {
        issuer: "http://127.0.0.1:8080".into(),
        audience: "movies".into(),
        leeway_s: 5,
    };
    Basis {
        claims,
        has_labels: true,
    }
}

fn followed(lay_out: impl FnOnce(&Path) -> PathBuf) -> Followed {
    let folder = tempfile::tempdir().unwrap();
    let path = lay_out(folder.path());
    let store = Arc::new(PolicyStore::open(RulesSource::File(path.clone()), basis()).unwrap());
    let shutdown = CancellationToken::new();
    tokio::spawn(Arc::clone(&store).follow(shutdown.clone()));
    Followed {
        folder,
        path,
        store,
        shutdown,
    }
}

fn plain_file(folder: &Path) -> PathBuf {
    let path = folder.join("rules.toml");
    std::fs::write(&path, OPEN).unwrap();
    path
}

impl Followed {
    fn default_ask(&self) -> Ask {
        self.store.current().policy.route("/", "GET", None).ask().clone()
    }

    /// Waits for `condition`: two seconds are promised, and a machine that tests runs much else.
    async fn in_time(&self, condition: impl Fn(&Self) -> bool) {
        let wait = async {
            while !condition(self) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait)
            .await
            .expect("noticed in time");
    }
}

#[tokio::test]
async fn a_file_written_in_place_or_renamed_over_comes_into_force() {
    let followed = followed(plain_file);
    std::fs::write(&followed.path, CLOSED).unwrap();
    followed.in_time(|now| now.default_ask() == Ask::Deny).await;
    assert_eq!(followed.store.current().generation, 2);

    let beside = followed.folder.path().join("next.toml");
    std::fs::write(&beside, OPEN).unwrap();
    std::fs::rename(&beside, &followed.path).unwrap();
    followed.in_time(|now| now.default_ask() == Ask::Nothing).await;
    assert_eq!(
        (followed.store.current().generation, followed.store.failures()),
        (3, 0)
    );
}

#[tokio::test]
async fn a_swap_of_mounted_links_comes_into_force() {
    let followed = followed(|folder| {
        for (version, text) in [("v1", OPEN), ("v2", CLOSED)] {
            std::fs::create_dir(folder.join(version)).unwrap();
            std::fs::write(folder.join(version).join("rules.toml"), text).unwrap();
        }
        symlink("v1", folder.join("..data")).unwrap();
        symlink("..data/rules.toml", folder.join("rules.toml")).unwrap();
        folder.join("rules.toml")
    });
    symlink("v2", followed.folder.path().join("..next")).unwrap();
    std::fs::rename(
        followed.folder.path().join("..next"),
        followed.folder.path().join("..data"),
    )
    .unwrap();
    followed.in_time(|now| now.default_ask() == Ask::Deny).await;
}

#[tokio::test]
async fn a_bad_or_missing_file_leaves_the_old_rules_in_force_and_is_counted() {
    let followed = followed(plain_file);
    std::fs::write(&followed.path, "default = \"closed\"").unwrap();
    followed.in_time(|now| now.store.failures() == 1).await;
    assert_eq!(
        (followed.default_ask(), followed.store.is_behind()),
        (Ask::Nothing, true)
    );

    std::fs::remove_file(&followed.path).unwrap();
    followed.in_time(|now| now.store.failures() == 2).await;
    assert_eq!(
        (followed.default_ask(), followed.store.current().generation),
        (Ask::Nothing, 1)
    );

    std::fs::write(&followed.path, CLOSED).unwrap();
    followed.in_time(|now| now.default_ask() == Ask::Deny).await;
    assert!(!followed.store.is_behind());
}

#[tokio::test]
async fn a_file_that_never_settles_comes_into_force_all_the_same() {
    let followed = followed(plain_file);
    let beside = followed.folder.path().join("next.toml");
    let swap = async {
        let mut every = tokio::time::interval(Duration::from_millis(20));
        for version in 0_u64.. {
            every.tick().await;
            std::fs::write(&beside, format!("{CLOSED}# {version}\n")).unwrap();
            std::fs::rename(&beside, &followed.path).unwrap();
        }
    };
    tokio::select! {
        () = swap => {}
        () = followed.in_time(|now| now.default_ask() == Ask::Deny) => {}
    }
}

#[tokio::test]
async fn built_in_rules_are_followed_by_doing_nothing() {
    let store = Arc::new(PolicyStore::open(RulesSource::BuiltIn(CLOSED), basis()).unwrap());
    Arc::clone(&store).follow(CancellationToken::new()).await;
    assert_eq!(store.current().policy.route("/", "GET", None).ask(), &Ask::Deny);
    assert!(PolicyStore::open(RulesSource::BuiltIn(""), basis()).is_err());
}
