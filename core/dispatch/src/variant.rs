//! Variants of a module: compiled again with values for its link-time constants, or with an instance of a generic function.

use crate::args::{Number, Numbers};
use crate::context::Context;
use crate::error::Error;
use crate::module::{LoadOptions, Module, find, read_text, shown};
use parking_lot::Mutex;
use pullback_base::{Code, Diagnostic};
use pullback_lang::{self as lang, Linked};
use rustc_hash::FxHashMap;
use std::path::Path;
use std::sync::{Arc, Weak};

/// How a module is compiled.
pub struct Recipe {
    pub language: lang::Language,
    pub name: String,
    pub text: String,
    pub options: LoadOptions,
    /// The files that it names, as they were when first read: all variants are of one text.
    pub read: Mutex<FxHashMap<(String, String), Found>>,
}

/// A file's name and text, or why there is none.
type Found = Result<(String, String), String>;

/// What users choose of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Choice {
    /// Name and value, as text that the language's front end reads; sorted.
    pub constants: Vec<(String, String)>,
    /// `f<float>`
    pub instance: Option<String>,
}

/// The variants that were asked for, kept as long as the module or one of its functions.
#[derive(Default)]
pub struct Variants(Mutex<FxHashMap<Choice, Module>>);

pub const BOTH_SLANG: &str = "link modules written in Slang with one another";

/// Where a module comes from.
pub struct Origin {
    pub recipe: Arc<Recipe>,
    pub choice: Choice,
    variants: Weak<Variants>,
    /// The module itself keeps its variants; they do not keep one another.
    _kept: Option<Arc<Variants>>,
}

impl Origin {
    /// Of a module as it is loaded.
    pub fn new(recipe: Recipe) -> Self {
        let kept = Arc::new(Variants::default());
        let variants = Arc::downgrade(&kept);
        Self { recipe: Arc::new(recipe), choice: Choice::default(), variants, _kept: Some(kept) }
    }

    /// Whether the language has generic functions.
    pub fn has_instances(&self) -> bool {
        self.recipe.language == lang::Language::Slang
    }

    /// The module with these constants and this instance, compiled at the first request.
    pub fn variant(&self, context: &Context, choice: Choice) -> Result<Module, Error> {
        let variants = self.variants.upgrade();
        let known = variants.as_ref().and_then(|variants| variants.0.lock().get(&choice).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let compiled = self.recipe.compile(context, &choice)?;
        let (recipe, variants_of) = (self.recipe.clone(), self.variants.clone());
        let origin = Origin { recipe, choice: choice.clone(), variants: variants_of, _kept: None };
        let convention = self.recipe.options.gradient_convention;
        let made = Module::of(context, &self.recipe.name, compiled, convention, Some(origin))?;
        Ok(match variants {
            Some(variants) => variants.0.lock().entry(choice).or_insert(made).clone(),
            None => made,
        })
    }
}

impl Recipe {
    /// Compiles the text, with what it includes, imports and is linked with.
    ///
    /// # Errors
    /// Linked modules that do not go together. What is wrong with texts is among the diagnostics.
    pub fn compile(&self, context: &Context, choice: &Choice) -> Result<lang::Compiled, Error> {
        let mut links = Vec::new();
        self.push_links(&mut links)?;
        let mut folders = self.options.include_paths.clone();
        for linked in &self.options.link {
            folders.extend(linked.include_paths().iter().cloned());
        }
        let include = |requested: &str, from: &str| {
            let read = || {
                let mut paths = vec![Path::new(from).parent().unwrap_or(Path::new("")).to_path_buf()];
                paths.extend(folders.iter().cloned());
                find(Path::new(requested), &paths, read_text)
                    .ok_or_else(|| format!("`{requested}` is not in {}", shown(&paths)))
                    .map(|(path, text)| (path.to_string_lossy().into_owned(), text))
            };
            let key = (requested.to_owned(), from.to_owned());
            self.read.lock().entry(key).or_insert_with(read).clone()
        };
        let instances: Vec<String> = self.options.instances.iter().chain(&choice.instance).cloned().collect();
        let options = lang::Options {
            defines: &self.options.defines,
            includes: Some(&include),
            type_conformances: &self.options.type_conformances,
            instances: &instances,
            constants: &choice.constants,
            links: &links,
            targets: context.target_names(),
            ..lang::Options::default()
        };
        Ok(lang::compile(self.language, &self.name, &self.text, &options))
    }

    /// The modules linked with it, and those linked with these.
    fn push_links(&self, links: &mut Vec<Linked>) -> Result<(), Error> {
        for module in &self.options.link {
            let refuse = |message: String, help: &str| {
                Err(Error::from(Diagnostic::error(Code::UnsupportedFeature, message).help(help)))
            };
            let name = module.name();
            let is_slang = |recipe: &&Recipe| recipe.language == lang::Language::Slang;
            let Some(recipe) = module.recipe().filter(is_slang).filter(|_| is_slang(&self)) else {
                return refuse(format!("`{name}` cannot be linked with `{}`", self.name), BOTH_SLANG);
            };
            if recipe.options.defines != self.options.defines {
                return refuse(
                    format!("`{name}` is linked, but was loaded with other definitions"),
                    "load both with the same `defines`",
                );
            }
            recipe.push_links(links)?;
            match links.iter().find(|link| link.name == name) {
                None => links.push(Linked { name: name.to_owned(), text: recipe.text.clone() }),
                Some(link) if link.text == recipe.text => {}
                Some(_) => {
                    return refuse(format!("two linked modules are named `{name}`"), "rename one of them");
                }
            }
        }
        Ok(())
    }
}

/// Numbers as text: an expression of Slang; in other languages, whose constants are single numbers, the numbers themselves.
pub fn literal(language: lang::Language, numbers: &Numbers) -> String {
    let mut values = numbers.values.iter();
    match language {
        lang::Language::Slang => list(numbers.shape.dims(), &mut values),
        lang::Language::Wgsl | lang::Language::Glsl => {
            let shown = values.map(|value| match value {
                Number::Bool(value) => value.to_string(),
                Number::Int(value) => value.to_string(),
                Number::Float(value) => format!("{value:?}"),
            });
            shown.collect::<Vec<_>>().join(", ")
        }
    }
}

fn list<'a>(dims: &[i64], values: &mut impl Iterator<Item = &'a Number>) -> String {
    match dims.split_first() {
        Some((&size, inner)) => {
            let items: Vec<String> = (0..size).map(|_| list(inner, values)).collect();
            format!("{{ {} }}", items.join(", "))
        }
        None => match values.next() {
            Some(Number::Bool(value)) => value.to_string(),
            Some(Number::Int(value)) => value.to_string(),
            // As a `double`, which is rounded once to the constant's own type.
            Some(Number::Float(value)) if value.is_finite() => format!("{value:?}L"),
            Some(Number::Float(value)) if value.is_nan() => "0.0L / 0.0L".to_owned(),
            Some(Number::Float(value)) => format!("{}1.0L / 0.0L", if *value < 0.0 { "-" } else { "" }),
            None => String::new(),
        },
    }
}
