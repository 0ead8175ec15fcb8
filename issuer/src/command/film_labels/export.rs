//! `film-labels export`.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use shared::id::FilmId;
use shared::label::{LabelName, LabelNames};

use super::format::{CSV_HEADER, Format};
use crate::command::bulk::write_out;
use crate::service::Service;

/// Writes every film that carries labels. One that is changed meanwhile is written as it was or as it is.
pub(super) async fn export(
    output: Option<&Path>,
    format: Format,
    service: &Service,
) -> Result<(), Box<dyn Error>> {
    write_out(output, async |output: &mut dyn Write| {
        write_all(output, format, service).await
    })
    .await
}

#[derive(Serialize)]
struct Line<'a> {
    film_id: FilmId,
    labels: Vec<&'a str>,
}

async fn write_all(output: &mut dyn Write, format: Format, service: &Service) -> Result<(), Box<dyn Error>> {
    if format == Format::Csv {
        writeln!(output, "{}", CSV_HEADER.join(","))?;
    }
    let mut after = None;
    loop {
        let page = service.film_page(None, after).await?;
        for (film, labels) in &page {
            write_line(output, format, *film, labels)?;
        }
        match page.last() {
            Some((last, _)) => after = Some(*last),
            None => return Ok(()),
        }
    }
}

fn write_line(
    output: &mut dyn Write,
    format: Format,
    film_id: FilmId,
    labels: &LabelNames,
) -> io::Result<()> {
    let labels: Vec<&str> = labels.iter().map(LabelName::as_str).collect();
    match format {
        Format::Jsonl => {
            serde_json::to_writer(&mut *output, &Line { film_id, labels })?;
            writeln!(output)
        }
        // Neither a UUID nor the names of labels have anything in them that CSV would quote.
        Format::Csv => writeln!(output, "{},{}", film_id.0, labels.join("|")),
    }
}
