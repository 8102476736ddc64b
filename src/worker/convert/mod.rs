//! What is done behind the walls. Each kind of safe copy is a [`Converter`]; a new one is written, and named in
//! [`CONVERTERS`].

mod pdf;
mod pdf_text;
mod pdf_write;
mod picture;

use super::child::Out;
use super::job::{Found, Job, Summary};
use crate::mail::attachment::{archive, calendar, card};

/// Makes a copy of a file that shows the same and can do nothing.
pub(super) trait Converter: Sync {
    /// The media types it takes.
    fn takes(&self) -> &'static [&'static str];

    /// Makes the copy; says in the summary's notes what of the file is not in it.
    ///
    /// # Errors
    /// Why none can be made, in a sentence without a full stop.
    fn convert(&self, input: Vec<u8>, out: &mut Out<'_>) -> Result<Summary, String>;
}

const CONVERTERS: &[&dyn Converter] = &[&picture::Pictures, &pdf::Pages];

/// What makes a safe copy of a media type.
pub(super) fn converter(media_type: &str) -> Option<&'static dyn Converter> {
    CONVERTERS.iter().copied().find(|c| c.takes().contains(&media_type))
}

/// Does a job.
pub(super) fn work(job: &Job, mut inputs: Vec<Vec<u8>>, out: &mut Out<'_>) -> Summary {
    let all = |inputs: &mut Vec<Vec<u8>>| if inputs.is_empty() { Vec::new() } else { inputs.swap_remove(0) };
    let result = match job {
        Job::Pictures(size) => return picture::draw_all(&inputs, *size, out),
        Job::Pages { first, most, width } => pdf::pages(all(&mut inputs), *first, *most, *width, out),
        Job::Copy { media_type } => match converter(media_type) {
            Some(converter) => converter.convert(all(&mut inputs), out),
            None => Err("Mailkeep makes no copies of this kind of file".to_owned()),
        },
        Job::Archive => archive::list(&all(&mut inputs))
            .map(|listing| Summary { notes: listing.notes.clone(), ..found(Found::Archive(listing)) }),
        Job::Calendar => calendar::read(&all(&mut inputs)).map(Found::Calendar).map(found),
        Job::Cards => card::read(&all(&mut inputs)).map(Found::Cards).map(found),
        Job::Probe(_) => Ok(Summary::default()),
    };
    result.unwrap_or_else(|words| Summary { failed: vec![(0, words)], ..Summary::default() })
}

fn found(found: Found) -> Summary {
    Summary { found: Some(found), ..Summary::default() }
}
