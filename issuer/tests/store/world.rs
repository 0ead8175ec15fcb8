//! A whole issuer on a database, people in it, and the question whether a token still holds.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use issuer::app::{Feed, Issuer, open_store};
use issuer::service::{
    Caller, ClientCredentials, Credentials, OauthClient, RoleDraft, Service, ServiceClient, ServiceError,
    TokenPair,
};
use issuer::settings::Settings;
use issuer::signing::{KeyFile, KeyPolicy, SealingKey, SigningKeys};
use issuer::store::key::{self, NewKey, StoredKey};
use issuer::store::role::Role;
use issuer::store::session::Origin;
use issuer::store::{outbox, truth};
use secrecy::{ExposeSecret, SecretString};
use shared::config::{Limit, Rate, Secret};
use shared::crypto::rsa::KeyBits;
use shared::id::SubjectId;
use shared::revocation::{Fact, Refusal, RevocationSet};
use shared::time::{Clock, SystemClock};
use shared::token::{Claims, CompactToken, SignedToken};

use tokio::sync::OnceCell;

use super::database::Database;

pub const PASSWORD: &str = "a long and winding road";
/// Where everybody comes from.
pub const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub const NEW_PASSWORD: &str = "a short and narrow path";

/// An issuer on a database.
pub struct World {
    pub service: Arc<Service>,
}

/// Somebody who is signed in.
pub struct Person {
    pub id: SubjectId,
    pub pair: TokenPair,
    pub caller: Caller,
}

pub fn settings(database: &Database) -> Settings {
    let mut settings = Settings::default();
    settings.database.url = Secret::from(SecretString::from(database.url.clone()));
    settings.database.max_connections = 12;
    let key = database.folder.path().join("key");
    if !key.exists() {
        std::fs::write(&key, shared::encoding::base64(&[7; 32])).unwrap();
    }
    settings.keys.encryption_key_file = Some(key);
    settings.password.memory_kib = 8;
    settings.password.iterations = 1;
    settings.password.failure_floor = Limit::Off;
    settings.limits.login_per_ip = Rate::Off;
    settings.limits.login_per_account = Rate::Off;
    settings.limits.register_per_ip = Rate::Off;
    settings.limits.client_per_ip = Rate::Off;
    settings
}

pub fn credentials(login: &str, password: &str) -> Credentials {
    Credentials {
        login: login.to_owned(),
        password: password.into(),
    }
}

/// How keys are rotated where a test says nothing else.
const POLICY: KeyPolicy = KeyPolicy {
    bits: KeyBits::Rsa2048,
    rotate_every: None,
    publish_ahead: Duration::from_hours(1),
};

/// Puts one signing key into every database: to make one takes longer than most tests.
pub async fn lend_key(database: &Database) {
    static KEY: OnceCell<StoredKey> = OnceCell::const_new();
    let settings = settings(database);
    let store = open_store(&settings, Arc::new(SystemClock), true).await.unwrap();
    let made = KEY.get_or_init(async || {
        let path = settings.keys.encryption_key_file.clone().unwrap();
        let sealing = SealingKey::read(&path).unwrap();
        let file = KeyFile::new(path, sealing);
        SigningKeys::open(store.clone(), file, POLICY, Arc::new(SystemClock))
            .await
            .unwrap();
        let mut stored = key::list(&mut store.read().await.unwrap()).await.unwrap();
        stored.remove(0)
    });
    let made = made.await;
    let mut work = store.write().await.unwrap();
    let lent = NewKey {
        kid: &made.kid,
        public: (&made.modulus, &made.exponent),
        sealed: &made.sealed,
    };
    key::insert_active(&mut work, &lent).await.unwrap();
    work.commit().await.unwrap();
    store.close().await;
}

impl World {
    pub async fn open(database: &Database) -> Self {
        Self::open_at(database, Arc::new(SystemClock)).await
    }

    pub async fn open_at(database: &Database, clock: Arc<dyn Clock>) -> Self {
        Self::open_with(database, &settings(database), clock).await
    }

    /// An issuer whose operator decided on other parameters for passwords.
    pub async fn open_hashing(database: &Database, memory_kib: u32) -> Self {
        let mut settings = settings(database);
        settings.password.memory_kib = memory_kib;
        Self::open_with(database, &settings, Arc::new(SystemClock)).await
    }

    async fn open_with(database: &Database, settings: &Settings, clock: Arc<dyn Clock>) -> Self {
        lend_key(database).await;
        let issuer = Issuer::open(settings, clock, Feed::Disabled).await.unwrap();
        Self {
            service: Arc::clone(issuer.service()),
        }
    }

    pub async fn person(&self, login: &str) -> Person {
        let pair = self
            .service
            .register(&credentials(login, PASSWORD), HERE, &Origin::default())
            .await
            .unwrap();
        self.holder(pair).await
    }

    /// Whoever a fresh pair of tokens belongs to.
    pub async fn holder(&self, pair: TokenPair) -> Person {
        let caller = self
            .service
            .authenticate(pair.access_token.expose_secret(), Origin::default())
            .await
            .unwrap();
        Person {
            id: pair.user_id,
            pair,
            caller,
        }
    }

    pub async fn superuser(&self, login: &str) -> Person {
        self.service
            .create_superuser(&credentials(login, PASSWORD))
            .await
            .unwrap();
        let pair = self.login(login, PASSWORD).await.unwrap();
        self.holder(pair).await
    }

    pub async fn login(&self, login: &str, password: &str) -> Result<TokenPair, ServiceError> {
        self.service
            .login(&credentials(login, password), HERE, &Origin::default())
            .await
    }

    pub async fn role(&self, by: &Person, name: &str) -> Role {
        let draft = RoleDraft {
            name: name.to_owned(),
            description: None,
        };
        self.service.create_role(&by.caller, &draft).await.unwrap()
    }

    /// A client with these roles; its secret.
    pub async fn client(&self, name: &str, roles: &[&str]) -> SecretString {
        let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        let secret = self
            .service
            .create_client(&name.parse().unwrap(), &roles)
            .await
            .unwrap();
        secret.text().clone()
    }

    /// The client of this name, if this is its secret.
    pub async fn prove(&self, name: &str, secret: &SecretString) -> Option<ServiceClient> {
        let presented = ClientCredentials {
            name: name.to_owned(),
            secret: Some(secret.clone()),
        };
        match self
            .service
            .authenticate_client(presented, HERE, &Origin::default())
            .await
            .unwrap()
        {
            Some(OauthClient::Service(client)) => Some(client),
            Some(OauthClient::Web) | None => None,
        }
    }

    /// An access token in a client's own name, if this is its secret.
    pub async fn client_token(&self, name: &str, secret: &SecretString) -> Option<SecretString> {
        let client = self.prove(name, secret).await?;
        let token = self.service.service_token(&client).await.unwrap();
        token.map(|token| token.access_token)
    }

    pub fn signed(&self, pair: &TokenPair) -> SignedToken {
        self.signed_token(&pair.access_token)
    }

    pub fn signed_token(&self, token: &SecretString) -> SignedToken {
        let token = CompactToken::parse(token.expose_secret()).unwrap();
        let keyring = self.service.keys.current();
        let key = keyring.set().get(token.kid()).unwrap();
        token.verify(key).unwrap()
    }

    pub fn claims(&self, pair: &TokenPair) -> Claims {
        self.signed(pair).claims().clone()
    }

    /// Every live fact after number `after`, and the number of the last.
    pub async fn facts_after(&self, after: i64) -> (Vec<Fact>, i64) {
        let mut work = self.service.store.read().await.unwrap();
        let entries = outbox::live_after(&mut work, after).await.unwrap();
        let last = entries.last().map_or(after, |entry| entry.id);
        (
            entries.into_iter().map(|entry| entry.revocation.fact).collect(),
            last,
        )
    }

    /// What a verifier that has every fact says of a token.
    pub async fn refusal(&self, pair: &TokenPair) -> Option<Refusal> {
        self.refusal_of(&pair.access_token).await
    }

    /// The same of an access token, whoever's.
    pub async fn refusal_of(&self, token: &SecretString) -> Option<Refusal> {
        let set = RevocationSet::default();
        let mut work = self.service.store.read().await.unwrap();
        for entry in outbox::live_after(&mut work, 0).await.unwrap() {
            set.apply(&entry.revocation);
        }
        let signed = self.signed_token(token);
        let now = self.service.clock.now().to_seconds();
        let valid = signed.validate(&self.service.policy.claims, now).unwrap();
        set.check(valid).err()
    }

    /// The invariant: a token is refused, or says what is true now.
    pub async fn assert_true_or_refused(&self, pair: &TokenPair) {
        if self.refusal(pair).await.is_some() {
            return;
        }
        let claims = self.claims(pair);
        let mut work = self.service.store.read().await.unwrap();
        let kid = self.signed(pair).kid().to_owned();
        let standing = truth::of_caller(&mut work, claims.subject, claims.session, &kid)
            .await
            .unwrap()
            .expect("a token of somebody who is gone is not refused");
        assert!(standing.active && standing.session_lives, "{standing:?}");
        assert_eq!(claims.roles, standing.roles);
        assert_eq!(claims.superuser, standing.superuser);
        assert_eq!(claims.ver, standing.ver);
    }
}
