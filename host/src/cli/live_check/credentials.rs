//! Whose store is checked.

use std::{env, path::Path};

use f9_host::{
    Connection, Error, ErrorKind, Result,
    serde_json::{Value, json},
};

use crate::cli::{prompt::Prompt, session::Session};

const KEY: &str = "OPENAI_API_KEY";
const STORE: &str = "OPENAI_STORAGE_VAULT_ID";

/// The connection to the store: that of `-c`, or from the environment and questions.
pub(super) fn connection(base_url: Option<&str>, session: &Session<'_>) -> Result<Connection> {
    let connection = of_store(base_url, session)?;
    session.plugin_of(&connection)?.check(&connection)?;
    Ok(connection)
}

/// The connection to the repository, which is cloned to `clone`: a whole one of git's, or one that is made for its address.
pub(super) fn repository(
    repository: &str,
    branch: Option<&str>,
    clone: &Path,
    session: &Session<'_>,
) -> Result<Connection> {
    let connection = match session.connection_of(repository)? {
        Some(given) if given.backend().as_str() == "git" => given,
        Some(given) => {
            let message = format!("expected a connection to a `git` backend, found `{}`", given.backend());
            return Err(Error::new(ErrorKind::InvalidConnection, message).with("key", "backend"));
        }
        None => json!({"backend": "git", "remote_url": repository}).try_into()?,
    };
    let connection = connection.with_option("path", clone.display().to_string());
    let connection = match branch {
        Some(branch) => connection.with_option("branch", branch),
        None => connection,
    };
    session.plugin_of(&connection)?.check(&connection)?;
    Ok(connection)
}

fn of_store(base_url: Option<&str>, session: &Session<'_>) -> Result<Connection> {
    let connection = match session.given_connection()? {
        Some(given) if given.backend().as_str() == "openai" => given,
        Some(given) => {
            let message =
                format!("expected a connection to an `openai` backend, found `{}`", given.backend());
            return Err(Error::new(ErrorKind::InvalidConnection, message).with("key", "backend"));
        }
        None => ask(session)?,
    };
    Ok(match base_url {
        Some(url) => connection.with_option("base_url", url),
        None => connection,
    })
}

fn ask(session: &Session<'_>) -> Result<Connection> {
    let mut prompt = Prompt::new(session.cancel());
    // A reference, so that the key itself is in nothing that could be shown.
    let key = match is_set(KEY) {
        true => json!({"$env": KEY}),
        false => answered(KEY, prompt.ask_secret("API key"))?,
    };
    let store = match is_set(STORE) {
        true => json!({"$env": STORE}),
        false => answered(STORE, prompt.ask("vector store (vs_…)"))?,
    };
    json!({"backend": "openai", "api_key": key, "vector_store_id": store}).try_into()
}

fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}

fn answered(variable: &str, answer: Result<String>) -> Result<Value> {
    match answer {
        Ok(answer) if !answer.is_empty() => Ok(answer.into()),
        Err(error) if error.kind() != ErrorKind::InvalidConnection => Err(error),
        _ => Err(Error::new(
            ErrorKind::InvalidConnection,
            format!("{variable} is not set, and nobody answers"),
        )
        .hint(format!("set {variable}, run this at a terminal, or give an openai connection with -c"))),
    }
}
