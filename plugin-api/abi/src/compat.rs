//! Whether two builds of this crate fit together.

use std::fmt;

use abi_stable::{
    abi_stability::{
        abi_checking::{AbiInstability, AbiInstabilityErrors},
        check_layout_compatibility,
    },
    library::{AbiHeader, AbiHeaderRef, IsLayoutChecked, LibHeader, LibraryError, RootModule},
    sabi_types::VersionNumber,
    std_types::RBoxError,
    type_layout::TLFieldOrFunction,
};

use crate::{PluginModuleRef, VERSION};

/// Why a library does not fit this host.
#[derive(Debug)]
#[non_exhaustive]
pub enum Incompatible {
    /// Built with another generation of `abi_stable`, or not with it at all.
    Foundation(String),
    /// Built for another major version of the ABI: the plugin's.
    Major(String),
    /// The types differ although the versions say that they should not.
    Layout {
        /// The innermost difference, on one line.
        brief: String,
        /// All differences, on hundreds of lines.
        full: String,
    },
}

impl fmt::Display for Incompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foundation(found) => f.write_str(found),
            Self::Major(plugin) => write!(f, "built for plugin ABI {plugin}, this host speaks {VERSION}"),
            Self::Layout { brief, .. } => write!(f, "the plugin's types differ from the host's: {brief}"),
        }
    }
}

impl std::error::Error for Incompatible {}

/// Checks that the library behind `header` can be called through the types of this crate.
///
/// Its minor version may be higher or lower than this crate's: methods and fields that one side lacks are answered by
/// their defaults.
///
/// # Errors
///
/// What differs, on one line.
pub fn check_compatible(header: AbiHeaderRef) -> Result<&'static LibHeader, Incompatible> {
    let header = header.upgrade().map_err(foundation)?;
    let number = |version| VersionNumber::new(version).map_err(|e| Incompatible::Foundation(e.to_string()));
    let host = number(PluginModuleRef::VERSION_STRINGS)?;
    let plugin = number(header.version_strings())?;
    // First, because types of another major version differ in every line.
    if plugin.major != host.major {
        return Err(Incompatible::Major(plugin.to_string()));
    }
    let no_layout = || Incompatible::Foundation("the plugin carries no description of its types".to_owned());
    let theirs = header.layout().ok_or_else(no_layout)?;
    let ours = match PluginModuleRef::CONSTANTS.layout() {
        IsLayoutChecked::Yes(layout) => layout,
        IsLayoutChecked::No => return Err(no_layout()),
    };
    // `check_layout_compatibility(interface, implementation)` lets only the implementation have more methods and fields
    // than it has to. Which of them are there is looked up at each call, so what matters is that the common ones agree:
    // the older side is the interface, whichever side that is.
    let plugin_is_older = (plugin.minor, plugin.patch) < (host.minor, host.patch);
    let (interface, implementation) = if plugin_is_older { (theirs, ours) } else { (ours, theirs) };
    match check_layout_compatibility(interface, implementation).into_result() {
        Ok(()) => Ok(header),
        Err(error) => {
            let brief = innermost(&error, plugin_is_older);
            Err(Incompatible::Layout { brief, full: error.to_string() })
        }
    }
}

fn foundation(error: LibraryError) -> Incompatible {
    Incompatible::Foundation(match error {
        LibraryError::InvalidAbiHeader(found) => format!(
            "built with abi_stable {}.{}, this host has {}.{}",
            found.abi_major,
            found.abi_minor,
            AbiHeader::VALUE.abi_major,
            AbiHeader::VALUE.abi_minor
        ),
        other => first_line(&other),
    })
}

fn first_line(text: &impl ToString) -> String {
    text.to_string().lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

/// The innermost difference in one line, out of abi_stable's thousand.
fn innermost(error: &RBoxError, plugin_is_interface: bool) -> String {
    let Some(all) = error.downcast_ref::<AbiInstabilityErrors>() else {
        return first_line(error);
    };
    let deepest = all.errors.iter().filter(|e| !e.errs.is_empty()).max_by_key(|e| e.stack_trace.len());
    let Some(deepest) = deepest else {
        return first_line(error);
    };
    let steps = deepest.stack_trace.iter().filter_map(|frame| match frame.expected {
        TLFieldOrFunction::Field(field) => Some(field),
        TLFieldOrFunction::Function(_) => None,
    });
    let last = steps
        .clone()
        .next_back()
        .map_or_else(|| "root module".to_owned(), |field| field.full_type().to_string());
    // Names that abi_stable generates tell nothing.
    let generated = ["obj", "vtable", "0", "ptr", "__returns", "field_0"];
    let names: Vec<_> = steps.map(|field| field.name()).filter(|name| !generated.contains(name)).collect();
    let (expected, found) = if plugin_is_interface { ("plugin", "host") } else { ("host", "plugin") };
    let difference = match &deepest.errs[0] {
        AbiInstability::FieldCountMismatch(n) => {
            format!("{expected} has {} fields, {found} has {}", n.expected, n.found)
        }
        AbiInstability::Size(n) => format!("{expected} has {} bytes, {found} has {}", n.expected, n.found),
        AbiInstability::UnexpectedField(field) => {
            format!("{expected} has `{}`, {found} has `{}`", field.expected.name(), field.found.name())
        }
        AbiInstability::MismatchedPrefixSize(n) => {
            format!("{expected} has {} fixed methods, {found} has {}", n.expected, n.found)
        }
        AbiInstability::Name(name) => format!("{expected} has {}, {found} has {}", name.expected, name.found),
        other => format!("{other:?}").chars().take(120).collect(),
    };
    format!("`{last}` (reached by {}): {difference}", names.join(" > "))
}
