//! People who sign in, ask, refresh and sign out, over and over, and look at every answer.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use serde_json::json;
use shared::time::{Clock as _, SystemClock};

use super::site::{REFUSED_WITHIN, Site};
use super::tally::Tally;
use crate::http::{Answer, HttpConnection};
use crate::login::site::{PASSWORD, text};

/// Between two requests of one person.
const PACE: Duration = Duration::from_millis(150);

/// Questions about a token between its issue and its end.
const QUESTIONS: usize = 8;

/// Every so many sign-ins the password is wrong before it is right, somebody is new, and all sessions end with the one.
const WRONG_EVERY: u64 = 5;
const NEW_EVERY: u64 = 10;
const EVERYWHERE_EVERY: u64 = 4;

/// Whoever did not get what they asked for begins anew.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Comes and goes until it is over.
pub fn come_and_go(site: &Site, number: usize, is_over: &AtomicBool, tally: &Tally) {
    let (issuers, verifiers) = (site.issuers(), site.verifiers());
    let mut person = Person {
        issuer: Line::to(issuers),
        verifier: Line::to(verifiers),
        number,
        login: String::new(),
        tally,
    };
    // Each at another issuer and verifier than the one before.
    for round in (number as u64).. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        if person.visit(round).is_none() {
            std::thread::sleep(AGAIN_AFTER);
        }
    }
}

/// A connection to one of two programs, which is kept.
struct Line {
    ends: [SocketAddr; 2],
    connections: [Option<HttpConnection>; 2],
}

impl Line {
    fn to(ends: [SocketAddr; 2]) -> Self {
        Self {
            ends,
            connections: [None, None],
        }
    }

    /// Asks one of them; after an error over a new connection.
    fn ask(
        &mut self,
        round: u64,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> anyhow::Result<Answer> {
        let [first, second] = &mut self.connections;
        let [one, other] = self.ends;
        let (kept, end) = if round.is_multiple_of(2) {
            (first, one)
        } else {
            (second, other)
        };
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => HttpConnection::open(end)?,
        };
        let answer = connection.request(method, path, headers, body)?;
        *kept = Some(connection);
        Ok(answer)
    }
}

struct Person<'a> {
    issuer: Line,
    verifier: Line,
    number: usize,
    /// Empty before the first registration.
    login: String,
    tally: &'a Tally,
}

/// What a sign-in gives.
struct Pair {
    access: String,
    refresh: String,
}

impl Person<'_> {
    /// From a sign-in to its end. `None` once something was not answered as it should be.
    fn visit(&mut self, round: u64) -> Option<()> {
        if self.login.is_empty() || round.is_multiple_of(NEW_EVERY) {
            self.login = format!("guest{}_{round}", self.number);
            let body = json!({"login": self.login, "password": PASSWORD});
            let registered = self.post(round, "/api/v1/user", &body, 201);
            self.tally.take("registrations", registered)?;
        }
        if round.is_multiple_of(WRONG_EVERY) {
            let body = json!({"login": self.login, "password": "not this one"});
            let refused = self.post(round, "/api/v1/user/login", &body, 401);
            self.tally.take("wrong passwords", refused)?;
        }
        let body = json!({"login": self.login, "password": PASSWORD});
        let pair = self
            .post(round, "/api/v1/user/login", &body, 200)
            .and_then(|answer| Pair::of(&answer));
        let pair = self.tally.take("logins", pair)?;
        self.questions(round, &pair.access)?;
        let body = json!({"refresh_token": pair.refresh});
        let next = self
            .post(round + 1, "/api/v1/token/refresh", &body, 200)
            .and_then(|answer| Pair::of(&answer));
        let next = self.tally.take("refreshes", next)?;
        self.questions(round + 1, &next.access)?;
        let ended = self.sign_out(round, &next.access);
        self.tally.take("revocations", ended)?;
        for verifier in [0, 1] {
            let refused = self.is_refused(verifier, &next.access);
            self.tally.take("refusals", refused)?;
        }
        Some(())
    }

    fn post(
        &mut self,
        round: u64,
        path: &str,
        body: &serde_json::Value,
        status: u16,
    ) -> anyhow::Result<Answer> {
        std::thread::sleep(PACE);
        let json = "Content-Type: application/json\r\n";
        let answer = self.issuer.ask(round, "POST", path, json, &body.to_string())?;
        expect(answer, status)
    }

    /// Every verifier in turn, with a token and without.
    fn questions(&mut self, round: u64, token: &str) -> Option<()> {
        for question in 0..QUESTIONS as u64 {
            std::thread::sleep(PACE);
            let admitted = self.ask(round + question, "/films", Some(token));
            let admitted = admitted.and_then(|answer| expect(answer, 200));
            self.tally.take("verifications", admitted)?;
            let anonymous = self.ask(round + question, "/open", None);
            let anonymous = anonymous.and_then(|answer| expect(answer, 200));
            self.tally.take("anonymous requests", anonymous)?;
        }
        Some(())
    }

    fn ask(&mut self, round: u64, path: &str, token: Option<&str>) -> anyhow::Result<Answer> {
        let mut headers = format!("X-Original-Method: GET\r\nX-Original-URI: {path}\r\n");
        if let Some(token) = token {
            headers.push_str(&bearer(token));
        }
        self.verifier
            .ask(round, "GET", "/authz/auth-request", &headers, "")
    }

    fn sign_out(&mut self, round: u64, token: &str) -> anyhow::Result<Answer> {
        std::thread::sleep(PACE);
        let path = if round.is_multiple_of(EVERYWHERE_EVERY) {
            "/api/v1/user/logout?all=true"
        } else {
            "/api/v1/user/logout"
        };
        let answer = self.issuer.ask(round, "POST", path, &bearer(token), "")?;
        expect(answer, 204)
    }

    /// Asks until the token is refused, which is soon.
    fn is_refused(&mut self, verifier: u64, token: &str) -> anyhow::Result<()> {
        let begin = SystemClock.boot();
        loop {
            let answer = self.ask(verifier, "/films", Some(token))?;
            if answer.status == 200 && SystemClock.boot().since(begin) < REFUSED_WITHIN {
                std::thread::sleep(PACE);
            } else {
                expect(answer, 401)?;
                return Ok(());
            }
        }
    }
}

impl Pair {
    fn of(answer: &Answer) -> anyhow::Result<Self> {
        Ok(Self {
            access: text(answer, "access_token")?,
            refresh: text(answer, "refresh_token")?,
        })
    }
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn expect(answer: Answer, status: u16) -> anyhow::Result<Answer> {
    let said = String::from_utf8_lossy(&answer.body);
    ensure!(
        answer.status == status,
        "{} instead of {status}: {said}",
        answer.status
    );
    Ok(answer)
}
