//! How the service behaves where its documentation is silent or contradicts itself: found out with a few files.

use std::{
    cell::{Cell, RefCell},
    time::Instant,
};

use f9_plugin_api::{
    BackendPath, Error, ErrorKind, Result, log,
    serde::{Deserialize, Serialize},
};
use serde_json::{Value, json};

use crate::{
    api::{Attributes, Chunking},
    codec::{self, PIECE},
    failure::Failure,
    index::Entry,
    random,
    record::{Generation, Record, Storage},
    store::Store,
    types::{ParsedContent, Status, StoreFile},
};

/// A number that a float holds as well; which of both comes back shows in how it is written.
const NUMBER: u64 = 12_304;

/// The two limits on values of attributes that are documented, in characters.
const VALUE_LENGTHS: [usize; 2] = [512, 256];

/// What may ask for the next page of parsed text.
const PAGE_PARAMETERS: [&str; 2] = ["page", "after"];

/// The smallest image there is: one transparent pixel.
const IMAGE: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\0\
\x01\0\0\x05\0\x01\r\n-\xb4\0\0\0\0IEND\xaeB`\x82";

/// A request as batches hold them.
const BATCH: &[u8] = br#"{"custom_id":"1","method":"POST","url":"/v1/embeddings","body":{"model":"text-embedding-3-small","input":"f9"}}"#;

/// The arguments of `probe`.
#[derive(Debug, Deserialize)]
#[serde(crate = "f9_plugin_api::serde", deny_unknown_fields)]
struct Arguments {
    /// Of the root: what the probes belong to, so that a sweep of it finds what an interruption leaves.
    directory: String,
}

/// What was found out.
#[derive(Debug, Serialize)]
#[serde(crate = "f9_plugin_api::serde")]
struct Observation {
    id: &'static str,
    question: &'static str,
    answer: Option<String>,
    /// Why there is no answer.
    error: Option<String>,
}

/// Asks all questions. One that cannot be answered does not keep the others from being asked.
pub(crate) fn probe(store: &Store, arguments: &Value) -> Result<Value> {
    let probe = Probe::new(store, &directory(arguments)?);
    let text = probe.place_text();
    let on_text = |observe: &dyn Fn(&Sample) -> Result<String>| match &text {
        Ok(sample) => observe(sample),
        Err(error) => Err(Error::new(error.kind(), error.message())),
    };
    let answers = [
        (
            "beta_header",
            "Are requests without the header `OpenAI-Beta: assistants=v2` answered?",
            probe.beta_header(),
        ),
        (
            "download",
            "Can a file of the store be downloaded as it was uploaded?",
            on_text(&|sample| probe.download(sample)),
        ),
        (
            "text_parts",
            "In how many parts does the text of a file of more than 4,096 tokens come back, and do they overlap?",
            on_text(&|sample| probe.text_parts(sample)),
        ),
        (
            "text_pages",
            "Does that text come in pages, and which parameter asks for the next one?",
            on_text(&|sample| probe.text_pages(sample)),
        ),
        (
            "text_altered",
            "What of that text comes back altered?",
            on_text(&|sample| probe.text_altered(sample)),
        ),
        (
            "attribute_numbers",
            "Do whole numbers in attributes come back as whole numbers?",
            on_text(&|sample| probe.attribute_numbers(sample)),
        ),
        (
            "attribute_length",
            "How long can the value of an attribute be?",
            on_text(&|sample| probe.attribute_length(sample)),
        ),
        (
            "purposes",
            "Can files of the purposes `batch` and `vision` be put into the store?",
            probe.purposes(),
        ),
        (
            "largest_part",
            "Is a file with 1 MiB of armoured bytes indexed and returned exactly?",
            probe.largest_part(),
        ),
    ];
    let mut observations = Vec::new();
    for (id, question, answer) in answers {
        store.context.check_cancelled()?;
        let (answer, error) = match answer {
            Ok(answer) => (Some(answer), None),
            Err(error) => (None, Some(error.message().to_owned())),
        };
        observations.push(Observation { id, question, answer, error });
    }
    Ok(json!({"observations": observations}))
}

fn directory(arguments: &Value) -> Result<BackendPath> {
    let given = Arguments::deserialize(arguments).ok();
    let path = given.and_then(|given| BackendPath::parse(&given.directory).ok());
    let path = path.filter(|path| path.parent().is_some_and(|parent| parent.is_root()));
    path.ok_or_else(|| {
        Error::new(ErrorKind::InvalidOperation, "the arguments of this command are not understood")
            .hint("give {\"directory\": NAME}")
    })
}

/// The files of one run, which go when it ends.
struct Probe<'s> {
    store: &'s Store,
    path: BackendPath,
    generation: Generation,
    next: Cell<u32>,
    placed: RefCell<Vec<String>>,
}

/// A text of several chunks, in the store.
struct Sample {
    file: StoreFile,
    record: Record,
    text: String,
    page: ParsedContent,
}

impl<'s> Probe<'s> {
    fn new(store: &'s Store, path: &BackendPath) -> Self {
        let (next, placed) = (Cell::new(0), RefCell::default());
        Self { store, path: path.clone(), generation: Generation::after(None), next, placed }
    }

    fn beta_header(&self) -> Result<String> {
        match self.store.api.ask_without_beta() {
            Ok(()) => Ok("yes".to_owned()),
            Err(failure) => refused(failure, "no"),
        }
    }

    fn download(&self, sample: &Sample) -> Result<String> {
        Ok(match self.store.api.download(&sample.file.id)? {
            Some(content) if content == sample.text => "yes".to_owned(),
            Some(_) => "yes, but altered".to_owned(),
            None => "no".to_owned(),
        })
    }

    fn text_parts(&self, sample: &Sample) -> Result<String> {
        let parts: Vec<&str> = sample.page.data.iter().map(|part| part.text.as_str()).collect();
        if sample.page.has_more {
            return Ok(format!("in {} parts on the first page of several", parts.len()));
        }
        let plain = |text: &str| text.replace(['\u{feff}', '\r'], "").trim().to_owned();
        let whole = plain(&sample.text);
        let sum: usize = parts.iter().map(|part| part.chars().count()).sum();
        let how = if plain(&parts.concat()) == whole {
            "which do not overlap".to_owned()
        } else if codec::candidates(&parts).any(|text| plain(&text) == whole) {
            let overlap = sum.saturating_sub(whole.chars().count()) / (parts.len() - 1).max(1);
            format!("which overlap by about {overlap} characters")
        } else {
            "which cannot be put together to the text".to_owned()
        };
        Ok(if parts.len() == 1 {
            "in one part".to_owned()
        } else {
            format!("in {} parts, {how}", parts.len())
        })
    }

    fn text_pages(&self, sample: &Sample) -> Result<String> {
        let Some(token) = sample.page.next_page.as_deref().filter(|_| sample.page.has_more) else {
            return Ok("no, all of it comes at once".to_owned());
        };
        let first = sample.page.data.first().map(|part| &part.text);
        for parameter in PAGE_PARAMETERS {
            match self.store.api.parsed_page(&sample.file.id, Some((parameter, token))) {
                Ok(page) if page.data.first().map(|part| &part.text) != first => {
                    return Ok(format!("yes, `{parameter}`"));
                }
                Ok(_) | Err(Failure::Refused(_)) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(format!("yes, and none of `{}` does", PAGE_PARAMETERS.join("`, `")))
    }

    fn text_altered(&self, sample: &Sample) -> Result<String> {
        let parts = &sample.page.data;
        let (first, last) = match (parts.first(), parts.last()) {
            (Some(first), Some(last)) => (first.text.as_str(), last.text.as_str()),
            _ => return Ok("nothing comes back".to_owned()),
        };
        let mut lost = Vec::new();
        if !first.starts_with('\u{feff}') {
            lost.push("the byte order mark");
        }
        if !parts.iter().any(|part| part.text.contains('\r')) {
            lost.push("carriage returns");
        }
        if first.trim_start_matches('\u{feff}').starts_with("line") {
            lost.push("blanks at the beginning");
        }
        if !sample.page.has_more && !last.ends_with([' ', '\n']) {
            lost.push("blanks at the end");
        }
        Ok(if lost.is_empty() { "none of it".to_owned() } else { format!("lost are {}", lost.join(", ")) })
    }

    fn attribute_length(&self, sample: &Sample) -> Result<String> {
        for length in VALUE_LENGTHS {
            let mut attributes = sample.record.to_attributes();
            let value = Value::from("x".repeat(length));
            attributes.insert("long".to_owned(), value.clone());
            match self.store.api.update(&sample.file.id, &attributes) {
                Ok(file) if file.attributes.as_ref().is_some_and(|echo| echo.get("long") == Some(&value)) => {
                    return Ok(format!("{length} characters"));
                }
                Ok(_) => return Ok(format!("{length} characters are taken, and come back altered")),
                Err(Failure::Refused(_)) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok("less than 256 characters".to_owned())
    }

    fn attribute_numbers(&self, sample: &Sample) -> Result<String> {
        // Before anything replaces them.
        let (file, _) = self.store.api.retrieve(&sample.file.id)?;
        let echoes = [&sample.file, &file].map(|file| file.attributes.as_ref()?.get("number"));
        let told = |echo: Option<&Value>| echo.map_or("not at all".to_owned(), |echo| format!("as {echo}"));
        let whole = echoes.iter().all(|echo| echo.is_some_and(|echo| echo.as_u64() == Some(NUMBER)));
        Ok(if whole {
            "yes".to_owned()
        } else {
            format!("no: {NUMBER} {} when it is stored, {} later", told(echoes[0]), told(echoes[1]))
        })
    }

    fn purposes(&self) -> Result<String> {
        let batch = self.purpose("batch", "jsonl", "application/jsonl", BATCH)?;
        let vision = self.purpose("vision", "png", "image/png", IMAGE)?;
        Ok(format!("batch: {batch}; vision: {vision}"))
    }

    fn purpose(&self, purpose: &str, extension: &str, content_type: &str, content: &[u8]) -> Result<String> {
        let record = self.record(content);
        let name = self.store.upload_name(&record, extension);
        let file = match self.store.api.upload_as(purpose, &name, content_type, content) {
            Ok(file) => file,
            Err(failure) => return refused(failure, "not even uploaded"),
        };
        self.placed.borrow_mut().push(file.id.clone());
        let attached = match self.store.api.attach(&file.id, &record.to_attributes(), Chunking::Auto) {
            Ok(attached) => attached,
            Err(failure) => return refused(failure, "no"),
        };
        let settled = self.store.settle(attached, &|| Ok(false))?.file;
        Ok(if settled.status == Status::Completed {
            "yes".to_owned()
        } else {
            format!("yes, but it is not indexed{}", why(&settled))
        })
    }

    fn largest_part(&self) -> Result<String> {
        let mut state = random() | 1;
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        let content: Vec<u8> = (0..PIECE).map(next).collect();
        let record = self.record(&content);
        let start = Instant::now();
        let body = codec::armor(&content, random());
        let file = self.place(&record, record.to_attributes(), body.as_bytes(), Chunking::Large)?;
        let file = self.store.settle(file, &|| Ok(false))?.file;
        let seconds = start.elapsed().as_secs_f32();
        if file.status != Status::Completed {
            return Ok(format!("not indexed{}", why(&file)));
        }
        let entry =
            Entry { id: file.id, status: file.status, created_at: file.created_at, known: true, record };
        match self.store.fetch(&entry) {
            Ok(_) => Ok(format!("yes, {seconds:.1} s after it was sent")),
            Err(error) if error.kind() == ErrorKind::Integrity => {
                Ok(format!("indexed after {seconds:.1} s, and not returned exactly"))
            }
            Err(error) => Err(error),
        }
    }

    fn place_text(&self) -> Result<Sample> {
        let lines = (0..1200).map(|number| format!("line {number:04} of a text that is cut into chunks\r\n"));
        let text = format!("\u{feff} \n{}\n ", lines.collect::<String>());
        let record = self.record(text.as_bytes());
        let mut attributes = record.to_attributes();
        attributes.insert("number".to_owned(), NUMBER.into());
        let mut file = self.place(&record, attributes, text.as_bytes(), Chunking::Large)?;
        let echo = file.attributes.take();
        let mut file = self.store.settle(file, &|| Ok(false))?.file;
        if file.status != Status::Completed {
            let message = format!("the service did not index a plain text{}", why(&file));
            return Err(Error::new(ErrorKind::RemoteRefused, message));
        }
        file.attributes = echo;
        let page = self.store.api.parsed_page(&file.id, None)?;
        Ok(Sample { file, record, text, page })
    }

    fn place(
        &self,
        record: &Record,
        attributes: Attributes,
        body: &[u8],
        chunking: Chunking,
    ) -> Result<StoreFile> {
        let file = self.store.api.upload(&self.store.upload_name(record, "txt"), body)?;
        self.placed.borrow_mut().push(file.id.clone());
        Ok(self.store.api.attach(&file.id, &attributes, chunking)?)
    }

    /// A part of a version that is never committed.
    fn record(&self, content: &[u8]) -> Record {
        let part = self.next.replace(self.next.get() + 1);
        Record::of_part(&self.path, &self.generation, part, content, Storage::Armor)
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        for id in self.placed.take() {
            if let Err(failure) = self.store.discard(&id) {
                log::warn!("the probe {id} is left to the next sweep: {}", Error::from(failure));
            }
        }
    }
}

/// A refusal is an answer; anything else that fails is none.
fn refused(failure: Failure, answer: &str) -> Result<String> {
    match failure {
        Failure::Refused(refusal) if refusal.status.is_client_error() && refusal.status != 429 => {
            Ok(format!("{answer} ({})", Error::from(Failure::Refused(refusal)).message()))
        }
        other => Err(other.into()),
    }
}

fn why(file: &StoreFile) -> String {
    file.last_error.as_ref().map(|error| format!(" ({}: {})", error.code, error.message)).unwrap_or_default()
}
