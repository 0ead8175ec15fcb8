//! The labels of a film.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::id::FilmId;

use super::{every_label, require_editor};
use crate::http::{Api, ApiError, id};
use crate::portal::form::{Form, unknown_act};
use crate::portal::page::{Choice, Faults, Field, Frame};
use crate::portal::visit::{Member, see_other};
use crate::service::ServiceError;

#[derive(Template)]
#[template(path = "films.html")]
struct Page {
    frame: Frame,
    faults: Faults,
    field: Field,
    /// The film, where one is named.
    film: Option<FilmId>,
    labels: Vec<Choice>,
    labels_error: Option<&'static str>,
}

async fn page(
    api: &Api,
    member: &Member,
    typed: String,
    film: Option<FilmId>,
    chosen: &[String],
    faults: Faults,
) -> Result<Response, ApiError> {
    let page = Page {
        frame: Frame::for_member(member),
        field: Field::text("film_id", member.visit.text().film_id, typed).with_faults(&faults),
        labels: every_label(api, chosen).await?,
        labels_error: faults.of("labels"),
        film,
        faults: faults.told(),
    };
    faults.show(&page)
}

/// The film that is asked about.
pub(in crate::portal) async fn show(State(api): State<Api>, member: Member) -> Result<Response, ApiError> {
    require_editor(&member.caller)?;
    let typed = member.visit.query_or_empty("film_id");
    if typed.is_empty() {
        return page(&api, &member, typed, None, &[], Faults::default()).await;
    }
    let Ok(film) = id::<FilmId>(typed.trim()) else {
        let error = ServiceError::field("film_id", "invalid", "a UUID is expected");
        let faults = Faults::of_error(error, member.visit.text())?;
        return page(&api, &member, typed, None, &[], faults).await;
    };
    let labels = api.service.film_labels(film).await?;
    let chosen: Vec<String> = labels.iter().map(|name| name.as_str().to_owned()).collect();
    page(&api, &member, typed, Some(film), &chosen, Faults::default()).await
}

/// Gives a film its labels.
pub(in crate::portal) async fn submit(
    State(api): State<Api>,
    member: Member,
    form: Form,
) -> Result<Response, ApiError> {
    require_editor(&member.caller)?;
    if form.act() != "save" {
        return Err(unknown_act());
    }
    let film: FilmId = id(&form.text("film_id"))?;
    let names = form.all("labels");
    match api.service.put_film_labels(&member.caller, film, &names).await {
        Ok(_) => Ok(see_other(&format!("/account/films?film_id={film}&done=saved"))),
        Err(error) => {
            let faults = Faults::of_error(error, member.visit.text())?;
            page(&api, &member, film.to_string(), Some(film), &names, faults).await
        }
    }
}
