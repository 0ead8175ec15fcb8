//! What every page has around it, and what its forms are made of.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;

use super::asset::Assets;
use super::language::Language;
use super::text::Text;
use super::visit::{Member, Visit};
use crate::http::ApiError;
use crate::service::ServiceError;

/// What surrounds the matter of a page.
#[derive(Debug)]
pub(super) struct Frame {
    /// The texts.
    pub(super) t: &'static Text,
    /// Their language.
    pub(super) language: Language,
    /// The page's own address, to come back to.
    pub(super) address: String,
    /// The page's own path.
    pub(super) path: String,
    /// What its forms carry.
    pub(super) form_token: String,
    /// Who looks at it.
    pub(super) viewer: Option<Viewer>,
    /// What has just been done.
    pub(super) notice: Option<&'static str>,
    /// Where style sheet, script and icon are.
    pub(super) assets: Assets,
    /// The languages, to choose from.
    pub(super) languages: [Language; 2],
}

/// Who looks at a page.
#[derive(Debug)]
pub(super) struct Viewer {
    pub(super) login: String,
    /// Whether the pages about users are theirs to see.
    pub(super) is_admin: bool,
    /// Whether the pages about roles and labels are theirs to use.
    pub(super) edits_roles: bool,
}

impl Frame {
    /// For anybody.
    pub(super) fn of(visit: &Visit) -> Self {
        let t = visit.text();
        Self {
            t,
            language: visit.language,
            address: visit.address.clone(),
            path: visit.path().to_owned(),
            form_token: visit.form_token.as_str().to_owned(),
            viewer: None,
            notice: visit.query("done").and_then(|done| t.notice(&done)),
            assets: Assets::default(),
            languages: Language::ALL,
        }
    }

    /// For somebody who is signed in.
    pub(super) fn for_member(member: &Member) -> Self {
        let viewer = Viewer {
            login: member.login.clone(),
            is_admin: member.caller.is_admin(),
            edits_roles: member.caller.edits_roles(),
        };
        Self {
            viewer: Some(viewer),
            ..Self::of(&member.visit)
        }
    }

    /// The pages that somebody has, by address and name.
    pub(super) fn places(&self, viewer: &Viewer) -> Vec<(&'static str, &'static str)> {
        let t = self.t;
        let own = [
            ("/account", t.account),
            ("/account/sessions", t.sessions),
            ("/account/history", t.history),
        ];
        let administration = [
            ("/account/users", t.users, viewer.is_admin || viewer.edits_roles),
            ("/account/roles", t.roles, viewer.edits_roles),
            ("/account/labels", t.labels, viewer.edits_roles),
            ("/account/films", t.films, viewer.edits_roles),
            ("/account/keys", t.keys, viewer.is_admin),
            ("/account/audit", t.audit, viewer.is_admin),
            ("/account/verifiers", t.verifiers, viewer.is_admin),
        ];
        let theirs = administration.into_iter().filter(|(_, _, may)| *may);
        own.into_iter()
            .chain(theirs.map(|(address, name, _)| (address, name)))
            .collect()
    }

    /// The address of the page behind this one.
    pub(super) fn next_page(&self, cursor: &str) -> String {
        let query = self.address.split_once('?').map_or("", |(_, query)| query);
        let kept = url::form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| name != "cursor" && name != "done");
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(kept).append_pair("cursor", cursor);
        format!("{}?{}", self.path, query.finish())
    }

    /// Whether the page lies under this address, for the marks in the navigation.
    pub(super) fn is_under(&self, address: &str) -> bool {
        let rest = self.path.strip_prefix(address);
        rest.is_some_and(|rest| rest.is_empty() || (rest.starts_with('/') && address != "/account"))
    }
}

/// A page as an answer.
pub(super) fn show(status: StatusCode, page: &impl Template) -> Result<Response, ApiError> {
    let html = page
        .render()
        .map_err(|error| ServiceError::Defect(error.into()))?;
    Ok((status, Html(html)).into_response())
}

/// One field of a form.
#[derive(Debug, Default)]
pub(super) struct Field {
    /// Its name in the form.
    pub(super) name: &'static str,
    /// Its id on the page.
    pub(super) id: String,
    /// What it is called.
    pub(super) label: &'static str,
    /// `text`, `password` or `search`.
    pub(super) kind: &'static str,
    /// What a password manager is to put there.
    pub(super) autocomplete: &'static str,
    /// What stands in it. Never a password.
    pub(super) value: String,
    /// What is expected.
    pub(super) hint: Option<String>,
    /// What is wrong with it.
    pub(super) error: Option<&'static str>,
    /// Whether it may be left empty.
    pub(super) is_optional: bool,
}

impl Field {
    /// A text.
    pub(super) fn text(name: &'static str, label: &'static str, value: impl Into<String>) -> Self {
        Self {
            name,
            id: name.to_owned(),
            label,
            kind: "text",
            autocomplete: "off",
            value: value.into(),
            ..Self::default()
        }
    }

    /// A login.
    pub(super) fn login(label: &'static str, value: impl Into<String>) -> Self {
        Self {
            autocomplete: "username",
            ..Self::text("login", label, value)
        }
    }

    /// A password: `current-password` or `new-password`.
    pub(super) fn password(name: &'static str, label: &'static str, autocomplete: &'static str) -> Self {
        Self {
            kind: "password",
            autocomplete,
            ..Self::text(name, label, "")
        }
    }

    /// With what is expected of it.
    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// With the id that it has beside other forms with a field of its name.
    pub(super) fn within(self, form: &str) -> Self {
        Self {
            id: format!("{form}-{}", self.name),
            ..self
        }
    }

    /// One to search by, which may be left empty without saying so.
    pub(super) fn searched(self) -> Self {
        Self {
            kind: "search",
            ..self
        }
    }

    /// One that may be left empty.
    pub(super) fn optional(self) -> Self {
        Self {
            is_optional: true,
            ..self
        }
    }

    /// With what is wrong with it.
    pub(super) fn with_faults(self, faults: &Faults) -> Self {
        Self {
            error: faults.of(self.name),
            ..self
        }
    }

    /// The ids of what describes it, for `aria-describedby`.
    pub(super) fn described_by(&self) -> Option<String> {
        let hint = self.hint.as_ref().map(|_| format!("{}-hint", self.id));
        let error = self.error.map(|_| format!("{}-error", self.id));
        let ids: Vec<String> = error.into_iter().chain(hint).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }
}

/// What is wrong with a form, in words.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// By field.
    fields: Vec<(String, &'static str)>,
    /// Of the form as a whole.
    pub(super) general: Option<&'static str>,
    /// The status to answer with; `None`: nothing is wrong.
    answer: Option<Box<Response>>,
}

impl Faults {
    /// What an error says about a form. Errors that are not about it come back.
    pub(super) fn of_error(error: ServiceError, t: &'static Text) -> Result<Self, ApiError> {
        let mut faults = Self::default();
        match &error {
            ServiceError::Invalid(errors) => {
                let told = errors.iter();
                faults.fields = told
                    .map(|error| (error.field.clone(), t.field_error(error)))
                    .collect();
            }
            ServiceError::LoginTaken => faults.fields.push(("login".to_owned(), t.login_taken)),
            ServiceError::WrongPassword => {
                faults
                    .fields
                    .push(("current_password".to_owned(), t.wrong_password));
            }
            ServiceError::RoleNameTaken => faults.fields.push(("name".to_owned(), t.role_name_taken)),
            ServiceError::InvalidCredentials => faults.general = Some(t.invalid_credentials),
            ServiceError::AccountDisabled => faults.general = Some(t.account_disabled),
            ServiceError::TooManyRequests { .. } => faults.general = Some(t.too_many_requests),
            ServiceError::Overloaded => faults.general = Some(t.overloaded),
            ServiceError::Forbidden => faults.general = Some(t.forbidden),
            ServiceError::BuiltInRole => faults.general = Some(t.built_in_role),
            ServiceError::LabelInUse => faults.general = Some(t.label_in_use),
            ServiceError::LastSuperuser => faults.general = Some(t.last_superuser),
            ServiceError::NotSignedIn
            | ServiceError::InvalidToken(_)
            | ServiceError::CrossSite
            | ServiceError::AlreadySignedIn
            | ServiceError::InvalidRefreshToken
            | ServiceError::RefreshTokenReused
            | ServiceError::NotFound
            | ServiceError::Unavailable(_)
            | ServiceError::Defect(_) => return Err(error.into()),
        }
        // The API's own answer has the status and the fields that go with it, and logs what is to be logged.
        faults.answer = Some(Box::new(ApiError::from(error).into_response()));
        Ok(faults)
    }

    /// A field that was left empty.
    pub(super) fn missing(field: &str, t: &'static Text) -> Result<Self, ApiError> {
        Self::of_error(ServiceError::field(field, "missing", "this field is needed"), t)
    }

    /// What is wrong with a field.
    pub(super) fn of(&self, field: &str) -> Option<&'static str> {
        let found = self.fields.iter().find(|(name, _)| name == field);
        found.map(|(_, text)| *text)
    }

    /// What of it a page tells; the answer stays behind.
    pub(super) fn told(&self) -> Self {
        Self {
            fields: self.fields.clone(),
            general: self.general,
            answer: None,
        }
    }

    /// Whether anything is.
    pub(super) fn any(&self) -> bool {
        self.general.is_some() || !self.fields.is_empty()
    }

    /// A page that shows them, with the status and the header fields of the error.
    pub(super) fn show(self, page: &impl Template) -> Result<Response, ApiError> {
        let Some(answer) = self.answer else {
            return show(StatusCode::OK, page);
        };
        let (parts, _) = answer.into_parts();
        let mut response = show(parts.status, page)?;
        response.headers_mut().extend(parts.headers);
        Ok(response)
    }
}

/// One of several things to choose.
#[derive(Debug)]
pub(super) struct Choice {
    /// Its name.
    pub(super) name: String,
    /// Whether it is chosen.
    pub(super) is_chosen: bool,
}

impl Choice {
    /// What there is, with a mark at what is chosen.
    pub(super) fn of(names: Vec<String>, chosen: &[String]) -> Vec<Self> {
        let choice = |name: String| Self {
            is_chosen: chosen.contains(&name),
            name,
        };
        names.into_iter().map(choice).collect()
    }
}
