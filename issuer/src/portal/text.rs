//! What the pages say. A text that lacks one of its languages does not compile.

mod table;

use shared::problem::FieldError;

use crate::store::login_history::Outcome;

pub(super) use table::{ENGLISH, RUSSIAN, Text};

impl Text {
    /// What is wrong with a field, by the stable word for it.
    pub(super) fn field_error(&self, error: &FieldError) -> &'static str {
        match (error.field.as_str(), error.code) {
            (_, "missing") => self.field_missing,
            ("login", "too_short") => self.login_too_short,
            ("login", "too_long") => self.login_too_long,
            ("login", _) => self.login_invalid,
            ("password", "too_short") => self.password_too_short,
            ("password", "too_long") => self.password_too_long,
            ("password", "common") => self.password_common,
            ("password", "same_as_login") => self.password_same_as_login,
            ("password", _) => self.password_invalid,
            ("name", "reserved") => self.name_reserved,
            ("name", "taken") => self.label_taken,
            ("name", "too_many") => self.labels_too_many,
            ("name", _) => self.name_invalid,
            ("description", _) => self.description_invalid,
            ("roles", _) => self.roles_unknown,
            ("labels", "too_many") => self.film_labels_too_many,
            ("labels", _) => self.labels_unknown,
            ("film_id", _) => self.film_invalid,
            ("action", _) => self.action_unknown,
            _ => self.field_invalid,
        }
    }

    /// What has just been done, by the word for it in an address.
    pub(super) fn notice(&self, done: &str) -> Option<&'static str> {
        match done {
            "signed_out" => Some(self.done_signed_out),
            "signed_out_everywhere" => Some(self.done_signed_out_everywhere),
            "login" => Some(self.done_login),
            "password" => Some(self.done_password),
            "session" => Some(self.done_session),
            "saved" => Some(self.done_saved),
            "deleted" => Some(self.done_deleted),
            _ => None,
        }
    }

    /// How an attempt to sign in ended.
    pub(super) fn outcome(&self, outcome: Outcome) -> &'static str {
        match outcome {
            Outcome::Success => self.outcome_success,
            Outcome::WrongPassword => self.outcome_wrong_password,
            Outcome::Disabled => self.outcome_disabled,
            Outcome::Throttled => self.outcome_throttled,
        }
    }
}
