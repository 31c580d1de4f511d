//! From a plugin's schema to questions, and from answers to options.

use f9_host::{
    Error, ErrorKind, Result, nearest,
    serde_json::{self, Map, Value},
};

use super::prompt::Prompt;

/// Reads `KEY=VALUE`, as the schema has it. With `any_key` also what it does not have: as JSON, or else as text.
pub(crate) fn parse_option(text: &str, schema: &Value, any_key: bool) -> Result<(String, Value)> {
    let invalid = |message: String| Error::new(ErrorKind::InvalidConnection, message);
    let Some((key, answer)) = text.split_once('=') else {
        // It is not repeated: it may be a secret in the wrong place.
        return Err(invalid(
            "an option of a plugin is written KEY=VALUE; there is no = in this one".to_owned(),
        )
        .hint("write for instance root=/srv/notes"));
    };
    let known = schema["properties"].as_object();
    let unknown = any_key.then_some(&Value::Null);
    let Some(property) = known.and_then(|known| known.get(key)).or(unknown) else {
        let names = || known.into_iter().flat_map(Map::keys).map(String::as_str);
        let near = nearest(key, names()).map(|near| format!("did you mean `{near}`?"));
        return Err(invalid(format!("the plugin has no option `{key}`"))
            .with("key", key)
            .hint(near.unwrap_or_else(|| format!("it has {}", names().collect::<Vec<_>>().join(", ")))));
    };
    let value = parse(key, answer, property)?;
    if is_secret(property) && value.is_string() {
        let message = format!("the key `{key}` is secret, and others can see the arguments of a program");
        return Err(invalid(message).with("key", key).hint(format!(
            r#"say where it is kept: {key}='{{"$env": "NAME"}}' or {key}='{{"$file": "/path"}}'"#
        )));
    }
    Ok((key.to_owned(), value))
}

/// Asks for every key of a schema: what is required first. An empty answer leaves an optional key out. Where some are
/// given, only those that are required are asked for.
pub(crate) fn ask_options(
    schema: &Value,
    given: Map<String, Value>,
    prompt: &mut Prompt,
) -> Result<Map<String, Value>> {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object();
    let optional = properties.into_iter().flat_map(Map::keys).map(String::as_str);
    let optional: Vec<_> = optional.filter(|key| !required.contains(key)).collect();
    let is_asked_for_all = given.is_empty();
    let mut options = given;
    for key in &required {
        if options.contains_key(*key) {
            continue;
        }
        let value = ask(key, &schema["properties"][*key], true, prompt)?;
        options.extend(value.map(|value| ((*key).to_owned(), value)));
    }
    if optional.is_empty() || !is_asked_for_all {
        return Ok(options);
    }
    prompt.tell("Optional; an empty answer leaves the default:");
    for key in optional {
        let value = ask(key, &schema["properties"][key], false, prompt)?;
        options.extend(value.map(|value| (key.to_owned(), value)));
    }
    Ok(options)
}

fn ask(key: &str, property: &Value, required: bool, prompt: &mut Prompt) -> Result<Option<Value>> {
    let secret = is_secret(property);
    if let Some(text) = property["description"].as_str() {
        prompt.tell(&format!("  {}", text.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    if secret {
        prompt.tell(r#"  Best kept elsewhere: {"$env": "NAME"} or {"$file": "/path"} takes it from there."#);
    }
    let question = question(key, property);
    loop {
        let answer = if secret { prompt.ask_secret(&question)? } else { prompt.ask(&question)? };
        let problem = match answer.as_str() {
            "" if required => missing(key),
            "" => return Ok(None),
            answer => match parse(key, answer, property) {
                Ok(value) => return Ok(Some(value)),
                Err(error) => error,
            },
        };
        if !prompt.is_terminal() {
            return Err(problem);
        }
        prompt.tell(&format!("  {}", problem.message()));
    }
}

/// The key, with what it may be and what it is by default.
fn question(key: &str, property: &Value) -> String {
    let mut question = key.to_owned();
    let choices = choices(property);
    if !choices.is_empty() {
        question.push_str(&format!(" ({})", choices.join(", ")));
    } else if types(property).contains(&"boolean") {
        question.push_str(" (true, false)");
    }
    match &property["default"] {
        Value::Null => {}
        Value::String(text) => question.push_str(&format!(" [{text}]")),
        other => question.push_str(&format!(" [{other}]")),
    }
    question
}

fn missing(key: &str) -> Error {
    Error::new(ErrorKind::InvalidConnection, format!("the key `{key}` is required")).with("key", key)
}

/// The value that was meant: by the schema a text, a number and so on, or a reference to where the value is kept.
fn parse(key: &str, answer: &str, property: &Value) -> Result<Value> {
    let wrong = |expected: &str| {
        let message = format!("wrong value for the key `{key}`: expected {expected}");
        Err(Error::new(ErrorKind::InvalidConnection, message).with("key", key))
    };
    let json: Option<Value> = serde_json::from_str(answer).ok();
    if let Some(value @ Value::Object(_)) = &json
        && (value["$env"].is_string() || value["$file"].is_string())
    {
        return Ok(value.clone());
    }
    let choices = choices(property);
    if !choices.is_empty() && !choices.iter().any(|choice| choice == answer) {
        return wrong(&format!("one of {}", choices.join(", ")));
    }
    let types = types(property);
    if types.contains(&"string") || !choices.is_empty() {
        return Ok(answer.into());
    }
    if types.contains(&"boolean") {
        return match answer {
            "true" | "yes" | "y" => Ok(true.into()),
            "false" | "no" | "n" => Ok(false.into()),
            _ => wrong("true or false"),
        };
    }
    match json {
        Some(value) if types.contains(&"integer") && !value.is_i64() && !value.is_u64() => {
            wrong("a whole number")
        }
        Some(value) if types.contains(&"number") && !value.is_number() => wrong("a number"),
        Some(value) => Ok(value),
        None if types.contains(&"integer") => wrong("a whole number"),
        None if types.is_empty() => Ok(answer.into()),
        None => wrong("JSON"),
    }
}

/// The types that a property may have, its own or those of its alternatives.
fn types(property: &Value) -> Vec<&str> {
    let own = match &property["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let others = alternatives(property).flat_map(types);
    own.into_iter().chain(others).filter(|name| *name != "null").collect()
}

/// The texts that a property may be, if it lists them.
fn choices(property: &Value) -> Vec<String> {
    let listed = property["enum"].as_array().into_iter().flatten().chain([&property["const"]]);
    let own = listed.filter_map(Value::as_str).map(str::to_owned);
    own.chain(alternatives(property).flat_map(choices)).collect()
}

/// The values that a property may have, where they are only a few.
pub(crate) fn few_values(property: &Value) -> Vec<String> {
    let choices = choices(property);
    if choices.is_empty() && types(property) == ["boolean"] {
        return vec!["true".to_owned(), "false".to_owned()];
    }
    choices
}

fn is_secret(property: &Value) -> bool {
    property["writeOnly"] == true || alternatives(property).any(is_secret)
}

fn alternatives(property: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf"].into_iter().filter_map(|key| property[key].as_array()).flatten()
}

#[cfg(test)]
mod tests {
    use f9_host::serde_json::json;

    use super::*;

    #[test]
    fn answers_become_what_the_schema_wants() {
        let parsed = |answer: &str, property: Value| {
            parse("key", answer, &property).map_err(|e| e.message().to_owned())
        };
        assert_eq!(parsed("5", json!({"type": "string"})), Ok(json!("5")));
        assert_eq!(parsed("5", json!({"type": ["integer", "null"]})), Ok(json!(5)));
        assert_eq!(parsed("yes", json!({"type": "boolean"})), Ok(json!(true)));
        assert_eq!(parsed("[1]", json!({"type": "array"})), Ok(json!([1])));
        let choice =
            json!({"oneOf": [{"const": "none", "type": "string"}, {"const": "fsync", "type": "string"}]});
        assert_eq!(parsed("fsync", choice.clone()), Ok(json!("fsync")));
        assert_eq!(
            parsed("often", choice),
            Err("wrong value for the key `key`: expected one of none, fsync".to_owned())
        );
        assert!(parsed("five", json!({"type": "integer"})).unwrap_err().ends_with("expected a whole number"));
        assert!(parsed("1.5", json!({"type": "integer"})).is_err());
        let secret = json!({"type": "string", "writeOnly": true});
        assert_eq!(parsed(r#"{"$env": "KEY"}"#, secret.clone()), Ok(json!({"$env": "KEY"})));
        assert_eq!(parsed("{x}", secret), Ok(json!("{x}")));
    }

    #[test]
    fn a_question_says_what_can_be_answered() {
        let property = json!({"type": "boolean", "default": true});
        assert_eq!(question("create_root", &property), "create_root (true, false) [true]");
        assert_eq!(question("durability", &json!({"enum": ["none", "fsync"]})), "durability (none, fsync)");
    }
}
