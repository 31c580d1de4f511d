//! The boundary as it is released: every type that crosses, with its size, alignment and fields, and every method with
//! its types. Whatever changes here changes the ABI, and needs a new version.
//!
//! After a change that is allowed within the major version (crate docs, "How it grows"), raise the minor version and run
//! this test with `F9_BLESS=1`, which writes the new description.

#![allow(clippy::expect_used, reason = "a test may panic")]

use std::{
    collections::{BTreeSet, HashSet},
    fmt::Write as _,
    fs,
    path::PathBuf,
};

use f9_plugin_abi::{
    PluginModuleRef, VERSION,
    abi_stable::{
        StableAbi,
        std_types::utypeid::UTypeId,
        type_layout::{TLField, TLFunction, TypeLayout},
    },
};

#[test]
fn the_boundary_is_the_one_of_its_version() {
    let mut boundary = Boundary::default();
    boundary.add(<PluginModuleRef as StableAbi>::LAYOUT);
    let found: String = boundary.types.into_iter().collect();

    let minor = VERSION.rsplit_once('.').map_or(VERSION, |(minor, _)| minor);
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/abi-{minor}.txt"));
    if std::env::var_os("F9_BLESS").is_some() {
        fs::write(&file, &found).expect("the description can be written");
    }
    let released = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let changed = found.lines().zip(released.lines()).find(|(found, released)| found != released);
    assert!(
        found == released,
        "the boundary differs from ABI {minor}, first in (found, released): {changed:?}"
    );
}

/// What is reached from the root module.
#[derive(Default)]
struct Boundary {
    seen: HashSet<UTypeId>,
    types: BTreeSet<String>,
}

impl Boundary {
    /// Adds a type, and all that it is made of. The types of abi_stable themselves are held by its
    /// exact version.
    fn add(&mut self, layout: &'static TypeLayout) {
        if !self.seen.insert(layout.get_utypeid()) {
            return;
        }
        let fields = layout.get_fields().map(|fields| fields.to_vec()).unwrap_or_default();
        let fields = fields.into_iter().chain(layout.phantom_fields().to_vec());
        let mut text =
            format!("{}: {} bytes, aligned to {}\n", name(layout), layout.size(), layout.alignment());
        for field in fields {
            writeln!(text, "    {}: {}", field.name(), field_type(&field)).expect("text");
            field
                .function_range()
                .iter()
                .flat_map(|function| parts(&function))
                .for_each(|part| self.add(part));
            self.add(field.layout());
        }
        layout.generics().type_params().iter().for_each(|parameter| self.add(parameter()));
        if layout.package() == env!("CARGO_PKG_NAME") {
            self.types.insert(text);
        }
    }
}

/// The name: with its size for abi_stable's types, whose parameters it does not tell; with its trait for a trait's table
/// of methods.
fn name(layout: &'static TypeLayout) -> String {
    if layout.package() != env!("CARGO_PKG_NAME") {
        return format!("{}[{}]", layout.name(), layout.size());
    }
    let path = layout.mod_path().to_string();
    let of = path.rsplit("::").next().filter(|_| layout.name() == "VTable").unwrap_or_default();
    format!("{of}{}", layout.name())
}

fn field_type(field: &TLField) -> String {
    let functions = field.function_range();
    let mut functions = functions.iter().map(|function| {
        let names: Vec<_> = parts(&function).map(name).collect();
        format!("fn({})", names.join(", "))
    });
    functions.next().unwrap_or_else(|| name(field.layout()))
}

/// The types of a function's parameters, and then of its result.
fn parts(function: &TLFunction) -> impl Iterator<Item = &'static TypeLayout> + use<> {
    let parameters: Vec<_> = function.param_type_layouts.iter().collect();
    parameters.into_iter().chain(function.return_type_layout()).map(|layout| layout())
}
