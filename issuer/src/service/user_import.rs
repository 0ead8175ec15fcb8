//! People who are brought along from another system, many at once, with the hashes of their passwords.

mod line;

use std::collections::{BTreeSet, HashMap, HashSet};

use shared::id::{RoleId, SubjectId};
use shared::limits;
use shared::time::UnixMillis;

pub(super) use line::NOT_USER;
pub use line::{UserFault, UserLine};

use super::{RefusedLine, Service, ServiceError, built_in};
use crate::store::audit::{self, Action, Actor, Event};
use crate::store::user::bulk::{self, NewUser};
use crate::store::{Work, role};

/// What came of an import.
#[derive(Debug, Default)]
pub struct UserImportOutcome {
    /// People who were not there before.
    pub taken: u64,
    /// Lines that were passed over, because the login was there before.
    pub existing: u64,
    /// Lines that were not taken.
    pub refused_count: u64,
    /// Those that were not told of yet.
    pub refused: Vec<RefusedLine<UserFault>>,
}

/// People on their way into the database, some at a time: who was taken stays, whatever becomes of the rest.
#[derive(Debug)]
pub struct UserImport<'a> {
    service: &'a Service,
    users: Vec<(u64, UserLine)>,
    lines: u64,
    outcome: UserImportOutcome,
    /// The database's time when the first were written.
    began: Option<UnixMillis>,
}

impl Service {
    /// Begins to take in people line by line, for an operator at the command line.
    pub fn import_users(&self) -> UserImport<'_> {
        UserImport {
            service: self,
            users: Vec::new(),
            lines: 0,
            outcome: UserImportOutcome::default(),
            began: None,
        }
    }
}

impl UserImport<'_> {
    /// Takes the next line, and writes when there are enough.
    ///
    /// # Errors
    ///
    /// That the database is away. Lines before this may have been taken.
    pub async fn take(&mut self, line: Result<UserLine, UserFault>) -> Result<(), ServiceError> {
        self.lines += 1;
        match line.and_then(|line| self.check_hash(line)) {
            Ok(line) => self.users.push((self.lines, line)),
            Err(fault) => self.refuse(self.lines, fault),
        }
        let full = usize::try_from(limits::USERS_AT_ONCE).unwrap_or(usize::MAX);
        if self.users.len() >= full {
            self.write().await?;
        }
        Ok(())
    }

    /// Passes over a line that says nothing.
    pub fn skip(&mut self) {
        self.lines += 1;
    }

    /// How many people have been taken so far.
    pub fn taken(&self) -> u64 {
        self.outcome.taken
    }

    /// What has been refused since this was last asked.
    pub fn drain_refused(&mut self) -> impl Iterator<Item = RefusedLine<UserFault>> {
        self.outcome.refused.drain(..)
    }

    /// Writes who is left.
    ///
    /// # Errors
    ///
    /// As [`UserImport::take`].
    pub async fn finish(mut self) -> Result<UserImportOutcome, ServiceError> {
        self.write().await?;
        Ok(self.outcome)
    }

    fn check_hash(&self, line: UserLine) -> Result<UserLine, UserFault> {
        self.service.passwords.check_stored(line.password_hash())?;
        Ok(line)
    }

    fn refuse(&mut self, line: u64, fault: UserFault) {
        self.outcome.refused_count += 1;
        self.outcome.refused.push(RefusedLine { line, fault });
    }

    async fn write(&mut self) -> Result<(), ServiceError> {
        if self.users.is_empty() {
            return Ok(());
        }
        let mut work = self.service.store.write().await?;
        let now = work.now().await?;
        let began = *self.began.get_or_insert(now);
        let good = self.choose(&mut work, now).await?;
        let users: Vec<NewUser<'_>> = good.iter().map(|(_, line, _)| line.to_new_user(now)).collect();
        let made = bulk::insert_new(&mut work, &users).await?;
        let grants: Vec<(SubjectId, RoleId)> = users
            .iter()
            .zip(&good)
            .filter(|(user, _)| made.contains(&user.id))
            .flat_map(|(user, (_, _, roles))| roles.iter().map(|role| (user.id, *role)))
            .collect();
        bulk::grant_all(&mut work, &grants).await?;
        let there: Vec<&str> = users
            .iter()
            .filter(|user| !made.contains(&user.id))
            .map(|user| user.login)
            .collect();
        let again = bulk::changed_since(&mut work, &there, began).await?;
        // Once for all, with the first of them, and for each who is given all power.
        if self.outcome.taken == 0 && !made.is_empty() {
            audit::record(&mut work, Event::new(Actor::Operator, Action::UserImport)).await?;
        }
        for user in users
            .iter()
            .filter(|user| user.superuser && made.contains(&user.id))
        {
            let event = Event::new(Actor::Operator, Action::SuperuserGrant).on(user.id);
            audit::record(&mut work, event.with("created", true)).await?;
        }
        work.commit().await?;
        self.outcome.taken += count(made.len());
        self.outcome.existing += count(there.len() - again.len());
        for (line, user, _) in &good {
            if again.contains(user.login()) {
                self.refuse(*line, UserFault::Again);
            }
        }
        self.outcome.refused.sort_unstable_by_key(|refused| refused.line);
        Ok(())
    }

    /// Those of the lines at hand whose people can be made, with the roles that they get, in the order of logins, so that the
    /// pages of the index are gone through once and no two imports wait for each other in a circle.
    async fn choose(
        &mut self,
        work: &mut Work,
        now: UnixMillis,
    ) -> Result<Vec<(u64, UserLine, Vec<RoleId>)>, ServiceError> {
        let lines = std::mem::take(&mut self.users);
        let named: BTreeSet<&str> = lines.iter().flat_map(|(_, line)| line.roles()).collect();
        let roles = role::ids_of(work, &Vec::from_iter(named)).await?;
        let (mut seen, mut good) = (HashSet::new(), Vec::with_capacity(lines.len()));
        for (number, line) in lines {
            match roles_of(&line, &roles) {
                Err(fault) => self.refuse(number, fault),
                Ok(_) if line.is_of_after(now) => self.refuse(number, UserFault::Ahead),
                Ok(_) if !seen.insert(line.login().to_owned()) => self.refuse(number, UserFault::Again),
                Ok(roles) => good.push((number, line, roles)),
            }
        }
        good.sort_unstable_by(|(_, one, _), (_, other, _)| one.login().cmp(other.login()));
        Ok(good)
    }
}

/// The ids of the roles that a line gives.
fn roles_of(line: &UserLine, known: &HashMap<String, RoleId>) -> Result<Vec<RoleId>, UserFault> {
    let unknown = |name: &str| UserFault::UnknownRole(name.to_owned());
    let further = line
        .roles()
        .map(|name| known.get(name).copied().ok_or_else(|| unknown(name)));
    let everybodys = line.is_user().then_some(Ok(built_in::USER_ID));
    everybodys.into_iter().chain(further).collect()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
