//! How the server behaves.

use std::time::Duration;

/// How the server behaves. The default is as strict as the service.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Whether `GET /files/{id}/content` hands out files of the purposes that the service refuses. Default: no.
    pub allow_downloads: bool,
    /// The form of `GET /vector_stores/{id}/files/{id}/content`.
    pub content_shape: Shape,
    /// Whether parsed text comes in one part, or in chunks that overlap as the chunking strategy says.
    pub content_parts: Parts,
    /// Whether parsed text loses its BOM, its carriage returns and its outer blanks. Default: yes.
    pub normalise: bool,
    /// How many parts of a text a page of it holds; how to ask for the next is not described, here it is `page`.
    pub content_page: usize,
    /// Whether requests for stores need the header `OpenAI-Beta: assistants=v2`, as they once did.
    pub beta_required: bool,
    /// How long a file is `in_progress` after it was attached.
    pub index_delay: Duration,
    /// How long listings (and the counts of a store) lag behind.
    pub list_lag: Duration,
    /// How long a file that was just attached answers 404 when it is asked for by id.
    pub retrieve_lag: Duration,
    /// Whether the last entry of a page comes again as the first of the next.
    pub repeat_on_page_boundary: bool,
    /// Whether numbers in attributes come back as floating point.
    pub float_numbers: bool,
    /// How many characters a value of an attribute may have: 512 in the description, 256 in the guide. Default: 256.
    pub attribute_value_max: usize,
    /// A listing page (of a store) that contains this file fails with 500.
    pub poison: Option<String>,
    /// How many attachments a minute are allowed.
    pub writes_per_minute: Option<u32>,
    /// How many files a page of a store's listing holds at most, whatever was asked for. Default: 100.
    pub page_limit: usize,
    /// How long every answer takes.
    pub latency: Duration,
    /// Whether the store has expired.
    pub expired: bool,
    /// Whether listings have no end: every page has one more file, and says that there are more.
    pub endless: bool,
    /// What answers have for the id of their request, instead of a number.
    pub request_id: Option<String>,
    /// How many tokens a file may have before its indexing fails. Default: 2,000,000 (the smaller of the documented ones).
    pub token_limit: usize,
}

/// The two forms in which parsed text is known to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A page with `data`, as described.
    Data,
    /// An object with `content`, as in the description's sample and in older servers.
    Content,
}

/// How parsed text is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// Not at all.
    Single,
    /// Into overlapping chunks.
    Chunks,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow_downloads: false,
            content_shape: Shape::Data,
            content_parts: Parts::Single,
            normalise: true,
            content_page: usize::MAX,
            beta_required: false,
            index_delay: Duration::ZERO,
            list_lag: Duration::ZERO,
            retrieve_lag: Duration::ZERO,
            repeat_on_page_boundary: false,
            float_numbers: false,
            attribute_value_max: 256,
            poison: None,
            writes_per_minute: None,
            page_limit: 100,
            latency: Duration::ZERO,
            expired: false,
            endless: false,
            request_id: None,
            token_limit: 2_000_000,
        }
    }
}
