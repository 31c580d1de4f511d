//! What the service makes of a file's content: which it takes, and the text that it gives back.

use crate::{Parts, Settings};

/// The extensions that can be attached to a store (the retrieval guide's list; case matters).
const EXTENSIONS: [&str; 21] = [
    "c", "cpp", "cs", "css", "doc", "docx", "go", "html", "java", "js", "json", "md", "pdf", "php", "pptx",
    "py", "rb", "sh", "tex", "ts", "txt",
];

/// Formats that are parsed to text by means a stand-in does not have; their content is not looked at.
const OPAQUE: [&str; 4] = ["doc", "docx", "pdf", "pptx"];

/// The extension in a name, with its dot, if it can be attached; else the one that cannot.
pub(crate) fn check_extension(filename: &str) -> Result<(), String> {
    let extension = filename.rsplit_once('.').map_or("", |(_, extension)| extension);
    if EXTENSIONS.contains(&extension) { Ok(()) } else { Err(format!(".{extension}")) }
}

/// Why content cannot be indexed, as code and message.
pub(crate) fn check_content(
    filename: &str,
    content: &[u8],
    settings: &Settings,
) -> Result<(), (&'static str, &'static str)> {
    let unsupported = Err(("unsupported_file", "The file type is not supported."));
    let extension = filename.rsplit_once('.').map_or("", |(_, extension)| extension);
    if OPAQUE.contains(&extension) {
        return Ok(());
    }
    let Ok(text) = std::str::from_utf8(content) else { return unsupported };
    if text.contains('\0') {
        return unsupported;
    }
    if content.len() * 5 / 7 > settings.token_limit {
        return Err(("invalid_file", "The file could not be parsed because it is too large."));
    }
    Ok(())
}

/// The text of a file as it is given back: normalised, and cut as the settings and its chunking strategy say.
pub(crate) fn parts(
    content: &[u8],
    settings: &Settings,
    chunk_tokens: usize,
    overlap_tokens: usize,
) -> Vec<String> {
    let mut text = String::from_utf8_lossy(content).into_owned();
    if settings.normalise {
        text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n").trim().to_owned();
    }
    match settings.content_parts {
        Parts::Single => vec![text],
        Parts::Chunks => chunks(&text, characters(chunk_tokens), characters(overlap_tokens)),
    }
}

/// Dense text has about 1.4 characters a token: the least favourable of what was measured on base64.
const fn characters(tokens: usize) -> usize {
    tokens * 7 / 5
}

fn chunks(text: &str, size: usize, overlap: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut chunks = Vec::new();
    let mut start = 0;
    loop {
        let end = (start + size).min(characters.len());
        chunks.push(characters[start..end].iter().collect());
        if end == characters.len() {
            return chunks;
        }
        start = end - overlap;
    }
}
