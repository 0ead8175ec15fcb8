//! Writing the log: each write is one script, which happens wholly or not at all.

use std::sync::LazyLock;
use std::time::Duration;

use ::redis::{Cmd, ErrorKind, Script, ServerErrorKind, Value, cmd};

use super::{ANSWER_WITHIN, DOUBT_KEY, POINTER_KEY, RedisLog, TERM_KEY, reply, stream_key, table_key};
use crate::feed::log::LogError;
use crate::feed::table::TableId;
use crate::feed::term::Term;
use crate::feed::writer::{Append, Appended, FeedWriter, PointerRule};

/// A stream that has not come into force goes away this long after the last write to it: its writer is gone.
const UNSEEN_FOR: Duration = Duration::from_mins(10);

/// A table that is needed stays this long beyond the last write to the stream: far beyond what a verifier may go on with.
const TABLE_FOR: Duration = Duration::from_hours(7 * 24);

/// A table that another has replaced stays this long for those who read it.
const REPLACED_FOR: Duration = Duration::from_mins(10);

/// A doubt lasts longer than heartbeats may go on without the database.
const DOUBTED_FOR: Duration = Duration::from_hours(24);

/// A script's text and its digest.
struct Program {
    text: &'static str,
    digest: LazyLock<String>,
}

static CLAIM: Program = Program {
    text: include_str!("../claim.lua"),
    digest: LazyLock::new(|| Script::new(CLAIM.text).get_hash().to_owned()),
};

static APPEND: Program = Program {
    text: include_str!("../append.lua"),
    digest: LazyLock::new(|| Script::new(APPEND.text).get_hash().to_owned()),
};

static CHUNK: Program = Program {
    text: include_str!("../chunk.lua"),
    digest: LazyLock::new(|| Script::new(CHUNK.text).get_hash().to_owned()),
};

impl RedisLog {
    /// Runs a script by its digest or, on a server that does not know it yet, by its text.
    async fn run(
        &mut self,
        program: &Program,
        keys: &[&str],
        arguments: &[Vec<u8>],
    ) -> Result<Value, LogError> {
        let call = |verb: &str, script: &str| -> Cmd {
            let mut command = cmd(verb);
            command.arg(script).arg(keys.len()).arg(keys).arg(arguments);
            command
        };
        let by_digest = call("EVALSHA", &program.digest);
        match self.ask_once(&by_digest, ANSWER_WITHIN).await? {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.ask(&call("EVAL", program.text), ANSWER_WITHIN).await
            }
            answer => answer.map_err(LogError::from),
        }
    }
}

impl FeedWriter for RedisLog {
    async fn term(&mut self) -> Result<Option<Term>, LogError> {
        self.named(TERM_KEY).await
    }

    async fn claim(&mut self, term: Term) -> Result<bool, LogError> {
        let arguments = [term.to_string().into_bytes()];
        match self.run(&CLAIM, &[TERM_KEY], &arguments).await? {
            Value::Int(1) => Ok(true),
            Value::Int(0) => Ok(false),
            _ => Err(reply::malformed()),
        }
    }

    async fn append(&mut self, append: Append) -> Result<Appended, LogError> {
        let (rule, replaced) = match append.pointer {
            PointerRule::InForce => ("in_force", None),
            PointerRule::Unseen => ("unseen", None),
            PointerRule::BringIntoForce { instead_of } => ("bring_into_force", instead_of),
        };
        let stream = stream_key(append.epoch);
        let replaced = replaced.filter(|old| *old != append.epoch);
        let going = [
            replaced.map(|stream| (stream_key(stream), Duration::ZERO)),
            append.table.map(|table| (table_key(table), TABLE_FOR)),
            append
                .replaced_table
                .map(|table| (table_key(table), REPLACED_FOR)),
        ];
        let (going, stay): (Vec<String>, Vec<String>) = going
            .into_iter()
            .flatten()
            .map(|(key, stays)| (key, stays.as_millis().to_string()))
            .unzip();
        let mut keys = vec![TERM_KEY, POINTER_KEY, stream.as_str()];
        keys.extend(going.iter().map(String::as_str));
        let text = |id: Option<_>| {
            id.map_or(Vec::new(), |id: crate::feed::term::ItemId| {
                id.to_string().into_bytes()
            })
        };
        let mut arguments = vec![
            append.term.to_string().into_bytes(),
            append.epoch.to_string().into_bytes(),
            rule.into(),
            text(append.expected_last),
            UNSEEN_FOR.as_millis().to_string().into_bytes(),
            text(append.keep_from),
            stay.join(" ").into_bytes(),
        ];
        let mut last = None;
        for item in &append.items {
            let field = reply::field(&item.body).filter(|_| last.is_none_or(|last| last < item.id));
            let Some((field, bytes)) = field else {
                // Redis would refuse it in the middle of the script.
                return Err(LogError::Unreadable("items that cannot be written".to_owned()));
            };
            last = Some(item.id);
            arguments.extend([text(last), field.to_vec(), bytes.to_vec()]);
        }
        appended(self.run(&APPEND, &keys, &arguments).await?)
    }

    async fn doubt_labels(&mut self, term: Term) -> Result<(), LogError> {
        let mut command = cmd("SET");
        command.arg(DOUBT_KEY).arg(term.to_string());
        command.arg("EX").arg(DOUBTED_FOR.as_secs());
        self.ask(&command, ANSWER_WITHIN).await.map(|_| ())
    }

    async fn are_labels_doubted(&mut self, term: Term) -> Result<bool, LogError> {
        Ok(self.named(DOUBT_KEY).await? == Some(term))
    }

    async fn put_chunk(
        &mut self,
        term: Term,
        table: TableId,
        index: u32,
        bytes: &[u8],
    ) -> Result<bool, LogError> {
        let arguments = [
            term.to_string().into_bytes(),
            index.to_string().into_bytes(),
            bytes.to_vec(),
            UNSEEN_FOR.as_millis().to_string().into_bytes(),
        ];
        match self
            .run(&CHUNK, &[TERM_KEY, &table_key(table)], &arguments)
            .await?
        {
            Value::Int(1) => Ok(true),
            Value::Int(0) => Ok(false),
            _ => Err(reply::malformed()),
        }
    }
}

fn appended(answer: Value) -> Result<Appended, LogError> {
    let words: Vec<String> = ::redis::from_redis_value(answer).map_err(|_| reply::malformed())?;
    let mut words = words.iter().map(String::as_str);
    match (words.next(), words.next()) {
        (Some("written"), None) => Ok(Appended::Written),
        (Some("term_ended"), None) => Ok(Appended::TermEnded),
        (Some("not_in_force"), None) => Ok(Appended::NotInForce),
        (Some("elsewhere"), Some("")) => Ok(Appended::Elsewhere(None)),
        (Some("elsewhere"), Some(id)) => {
            let id = id.parse().map_err(|_| reply::malformed())?;
            Ok(Appended::Elsewhere(Some(id)))
        }
        _ => Err(reply::malformed()),
    }
}
