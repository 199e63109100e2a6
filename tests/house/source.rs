//! The files of the library, and what each imports and defines.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    slice,
};

use syn::{
    Attribute, File, ImplItemFn, Item, ItemUse, Meta, UseTree, Visibility,
    visit::{self, Visit},
};

/// A path, segment by segment, from the crate's root.
pub(crate) type Segments = Vec<String>;

/// A file of the library.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    pub(crate) lines: usize,
    /// Whether it is compiled for tests only.
    pub(crate) is_test: bool,
    /// Paths that the code names, tests aside, as they are written.
    names: BTreeSet<Segments>,
    /// What it exports under another path: the name, and the path.
    exports: BTreeMap<String, Segments>,
    /// The types that it defines, tests aside.
    pub(crate) types: Vec<String>,
}

/// The library, by module path: `judge::kpi`.
#[derive(Debug)]
pub(crate) struct Library {
    pub(crate) modules: BTreeMap<String, Module>,
    /// Files that no module declaration names.
    pub(crate) dead: Vec<PathBuf>,
}

impl Library {
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut modules = BTreeMap::new();
        read_module(&root.join("lib.rs"), "", false, &mut modules)?;
        let read: BTreeSet<&PathBuf> = modules.values().map(|module: &Module| &module.file).collect();
        let mut files = Vec::new();
        all_files(root, &mut files)?;
        let dead = files.into_iter().filter(|file| !read.contains(file)).collect();
        Ok(Self { modules, dead })
    }

    /// The modules that a module imports, re-exports followed to the file where the name is defined.
    pub(crate) fn imports(&self, from: &str) -> BTreeSet<String> {
        let module = &self.modules[from];
        let targets = module.names.iter().filter_map(|name| self.owner(&absolute(from, name)?));
        targets.filter(|target| target != from).collect()
    }

    /// The first segments of all paths that a module names: among them the crates that it uses.
    pub(crate) fn crates(&self, module: &str) -> BTreeSet<&str> {
        self.modules[module].names.iter().filter_map(|name| name.first().map(String::as_str)).collect()
    }

    /// The module that defines what an absolute path names.
    fn owner(&self, path: &Segments) -> Option<String> {
        let mut path = path.clone();
        // A re-export of a re-export, and so on: more than this is a circle.
        for _ in 0..8 {
            let depth = (0..=path.len()).rev().find(|n| self.modules.contains_key(&path[..*n].join("::")))?;
            let module = path[..depth].join("::");
            let exported = path.get(depth).and_then(|name| self.modules[&module].exports.get(name));
            match exported.and_then(|to| absolute(&module, to)) {
                Some(to) => path = to.into_iter().chain(path[depth + 1..].iter().cloned()).collect(),
                None => return Some(module),
            }
        }
        None
    }
}

/// A path from the crate's root; none where it is of another crate, or of the file itself.
fn absolute(module: &str, path: &Segments) -> Option<Segments> {
    let mut at: Segments = module.split("::").filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
    let mut rest = path.as_slice();
    match rest.first()?.as_str() {
        "crate" => at.clear(),
        "self" => {}
        "super" => {
            while rest.first().is_some_and(|segment| segment == "super") {
                at.pop();
                rest = &rest[1..];
            }
            return Some(at.into_iter().chain(rest.iter().cloned()).collect());
        }
        _ => return None,
    }
    Some(at.into_iter().chain(rest[1..].iter().cloned()).collect())
}

fn read_module(file: &Path, path: &str, is_test: bool, modules: &mut BTreeMap<String, Module>) -> io::Result<()> {
    let text = fs::read_to_string(file)?;
    let parsed = syn::parse_file(&text).map_err(|e| io::Error::other(format!("{}: {e}", file.display())))?;
    let mut reading = Reading::default();
    reading.visit_file(&parsed);
    let children = declared(&parsed, file);
    let module = Module {
        file: file.to_owned(),
        lines: text.lines().count(),
        is_test,
        names: reading.names,
        exports: reading.exports,
        types: reading.types,
    };
    modules.insert(path.to_owned(), module);
    for (name, is_child_test, file) in children {
        let path = if path.is_empty() { name } else { format!("{path}::{name}") };
        read_module(&file, &path, is_test || is_child_test, modules)?;
    }
    Ok(())
}

/// The modules that a file declares: name, whether for tests only, file.
fn declared(parsed: &File, file: &Path) -> Vec<(String, bool, PathBuf)> {
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    let stem = file.file_stem().unwrap_or_default();
    let inside = if ["lib", "mod"].iter().any(|root| stem == *root) { folder.clone() } else { folder.join(stem) };
    let modules = parsed.items.iter().filter_map(|item| match item {
        Item::Mod(module) if module.content.is_none() => Some(module),
        _ => None,
    });
    let located = modules.map(|module| {
        let name = module.ident.to_string();
        let at = path_of(&module.attrs).map(|path| folder.join(path));
        let flat = inside.join(format!("{name}.rs"));
        let file = at.unwrap_or_else(|| if flat.exists() { flat } else { inside.join(&name).join("mod.rs") });
        (name, is_for_tests(&module.attrs), file)
    });
    located.collect()
}

/// The value of `#[path = "…"]`.
fn path_of(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(of) if of.path.is_ident("path") => match &of.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string() == "test",
        _ => false,
    })
}

fn all_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            all_files(&path, files)?;
        } else if path.extension().is_some_and(|of| of == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// What a file names, exports and defines, tests aside.
#[derive(Default)]
struct Reading {
    names: BTreeSet<Segments>,
    exports: BTreeMap<String, Segments>,
    types: Vec<String>,
}

impl<'ast> Visit<'ast> for Reading {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, defines) = match item {
            Item::Enum(of) => (&of.attrs, Some(&of.ident)),
            Item::Struct(of) => (&of.attrs, Some(&of.ident)),
            Item::Trait(of) => (&of.attrs, Some(&of.ident)),
            Item::Type(of) => (&of.attrs, Some(&of.ident)),
            Item::Mod(of) => (&of.attrs, None),
            Item::Use(of) => (&of.attrs, None),
            Item::Fn(of) => (&of.attrs, None),
            Item::Impl(of) => (&of.attrs, None),
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            self.types.extend(defines.map(ToString::to_string));
            visit::visit_item(self, item);
        }
    }

    /// `pub(super)` imports nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_impl_item_fn(&mut self, of: &'ast ImplItemFn) {
        if !is_for_tests(&of.attrs) {
            visit::visit_impl_item_fn(self, of);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let mut leaves = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut leaves);
        for (path, name) in leaves {
            if !matches!(item.vis, Visibility::Inherited) {
                // Without a root it begins in this file.
                let begins = path.first().is_some_and(|first| ["crate", "self", "super"].contains(&first.as_str()));
                let rooted = if begins { path } else { [vec!["self".to_owned()], path].concat() };
                self.exports.insert(name, rooted);
            } else {
                self.names.insert(path);
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.names.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

/// Every path of a `use`, and the name that it has here.
fn flatten(tree: &UseTree, before: &mut Segments, leaves: &mut Vec<(Segments, String)>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, leaves);
            before.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, leaves)),
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            let path = if name == "self" { before.clone() } else { [before, slice::from_ref(&name)].concat() };
            leaves.push((path, name));
        }
        UseTree::Rename(of) => {
            leaves.push(([&before[..], &[of.ident.to_string()]].concat(), of.rename.to_string()));
        }
        UseTree::Glob(_) => leaves.push((before.clone(), "*".to_owned())),
    }
}
