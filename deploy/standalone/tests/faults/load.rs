//! People who sign in and out, and go on until they have been answered.

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::RwLock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::history::{History, Revokes, TokenId};
use crate::world::World;

/// A password that the policy takes.
pub(crate) const PASSWORD: &str = "follow the white rabbit";

/// People at once, mostly.
pub(crate) const PEOPLE: usize = 4;

/// Tokens that nobody revokes.
pub(crate) const CONTROLS: usize = 4;

/// Every so many sign-ins somebody is new, and ends all that is theirs.
const NEW_EVERY: u64 = 6;

/// Between a sign-in and its end, and before something is tried again.
const PACE: Duration = Duration::from_millis(60);

/// After so many sign-ins in vain a person is somebody new.
const FORGOTTEN_AFTER: u32 = 5;

/// The load, until it is told to stop.
#[derive(Debug)]
pub(crate) struct Load {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// Held by everybody from a sign-in to the answer for its end; whoever has it alone has no load beside.
pub(crate) type Pause = RwLock<()>;

impl Load {
    /// Signs the controls in, and starts.
    pub(crate) async fn start(
        world: &Arc<World>,
        history: &Arc<History>,
        pause: &Arc<Pause>,
        people: usize,
    ) -> Self {
        let control = Person::register(world, 0).await.expect("the first registration");
        history.add(&control.access, Revokes::Session);
        while history.tokens().len() < CONTROLS {
            let access = control
                .sign_in(world, 0)
                .await
                .expect("a sign-in before any fault");
            history.add(&access, Revokes::Session);
        }
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for place in 0..people {
            let (world, history, stop) = (Arc::clone(world), Arc::clone(history), stop.clone());
            let pause = Arc::clone(pause);
            tasks.spawn(async move { come_and_go(&world, &history, &pause, &stop, place).await });
        }
        Self { stop, tasks }
    }

    /// Stops it; every revocation that was asked for has been answered then.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}

/// Somebody with an account.
#[derive(Clone, Debug)]
struct Person {
    login: String,
    /// The token of the registration.
    access: String,
}

async fn come_and_go(
    world: &World,
    history: &History,
    pause: &Pause,
    stop: &CancellationToken,
    place: usize,
) {
    let mut standing: Option<Person> = None;
    let mut failures = 0;
    for round in 0_u64.. {
        let _busy = pause.read().await;
        if stop.is_cancelled() {
            return;
        }
        // Each issuer in turn, whether it runs or not.
        let issuer = usize::try_from(round).unwrap() + place;
        let (access, revokes) = match &standing {
            Some(person) if round % NEW_EVERY != 0 => (person.sign_in(world, issuer).await, Revokes::Session),
            _ => {
                let person = Person::register(world, issuer).await;
                let access = person.as_ref().map(|person| person.access.clone());
                match &standing {
                    None => {
                        standing = person;
                        (access, Revokes::Session)
                    }
                    Some(_) => (access, Revokes::Subject),
                }
            }
        };
        if let Some(access) = access {
            let id = history.add(&access, revokes);
            tokio::time::sleep(PACE).await;
            revoke(world, history, id, issuer).await;
            failures = 0;
        } else {
            failures += 1;
            // A database that was set back may have forgotten them.
            if failures == FORGOTTEN_AFTER {
                (standing, failures) = (None, 0);
            }
            tokio::time::sleep(PACE).await;
        }
    }
}

impl Person {
    /// Signs somebody new up.
    async fn register(world: &World, issuer: usize) -> Option<Self> {
        let login = format!("u{:032x}", u128::from_be_bytes(shared::crypto::random::bytes()));
        let access = access_token(world, issuer, "/api/v1/user", &login).await?;
        Some(Self { login, access })
    }

    async fn sign_in(&self, world: &World, issuer: usize) -> Option<String> {
        access_token(world, issuer, "/api/v1/user/login", &self.login).await
    }
}

/// An answer that does not come, or says that something is away, is none.
pub(crate) async fn access_token(world: &World, issuer: usize, path: &str, login: &str) -> Option<String> {
    let address = world.issuers[issuer % 2].address()?;
    let asked = world
        .client
        .post(format!("http://{address}{path}"))
        .json(&json!({"login": login, "password": PASSWORD}));
    let answer = asked.send().await.ok()?;
    if !answer.status().is_success() {
        return None;
    }
    let pair: Value = answer.json().await.ok()?;
    Some(pair["access_token"].as_str().unwrap().to_owned())
}

/// Asks for a token's end, of each issuer in turn, until one has answered.
async fn revoke(world: &World, history: &History, id: TokenId, first: usize) {
    let token = history.token(id);
    let path = match token.revokes {
        Revokes::Session => "/api/v1/user/logout",
        Revokes::Subject => "/api/v1/user/logout?all=true",
    };
    history.asked(id);
    for issuer in first.. {
        if let Some(address) = world.issuers[issuer % 2].address() {
            let asked = world.client.post(format!("http://{address}{path}"));
            match asked
                .bearer_auth(&token.access)
                .send()
                .await
                .map(|answer| answer.status())
            {
                Ok(StatusCode::NO_CONTENT) => break,
                // Something is away, and says so.
                Err(_) | Ok(StatusCode::SERVICE_UNAVAILABLE) => history.unanswered(),
                Ok(status) => {
                    history.unanswered();
                    history.violation(format!("token {id}: its revocation was answered by {status}"));
                }
            }
        }
        tokio::time::sleep(PACE).await;
    }
    history.revoked(id);
}
