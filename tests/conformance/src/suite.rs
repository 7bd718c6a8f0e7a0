//! The executable tests under a folder.

use crate::directive::{Selection, select};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// One executable test.
#[derive(Clone, Debug)]
pub struct Test {
    /// `folder/test`, without the ending.
    pub name: String,
    pub path: PathBuf,
    /// It needs no textures, samplers or stages other than compute.
    pub buffers_only: bool,
}

/// The executable tests whose name contains `filter`, by name.
pub fn load(root: &Path, filter: &str) -> io::Result<Vec<Test>> {
    let mut files = Vec::new();
    collect(root, &mut files)?;
    files.sort();
    let mut tests = Vec::new();
    for path in files {
        let name = path.strip_prefix(root).unwrap_or(&path).with_extension("");
        let name = name.to_string_lossy().replace('\\', "/");
        if !name.contains(filter) {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        if matches!(select(&text), Selection::Run(_)) {
            tests.push(Test { name, path, buffers_only: needs_buffers_only(&text) });
        }
    }
    Ok(tests)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "slang") {
            files.push(path);
        }
    }
    Ok(())
}

/// Words of resources and stages that have no counterpart here.
const FOREIGN: [&str; 16] = [
    "Texture1D",
    "Texture2D",
    "Texture3D",
    "TextureCube",
    "Sampler",
    "RaytracingAccelerationStructure",
    "RayQuery",
    "CoopVec",
    "CoopMat",
    "TensorView",
    "TorchTensor",
    "shader(\"vertex\")",
    "shader(\"fragment\")",
    "shader(\"pixel\")",
    "shader(\"raygeneration\")",
    "FeedbackTexture",
];

fn needs_buffers_only(text: &str) -> bool {
    !FOREIGN.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executable_tests_are_found_in_folders_and_named_by_them() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("created");
            fs::write(path, text).expect("written");
        };
        write("one/a.slang", "//TEST:COMPARE_COMPUTE:-cpu\n");
        write("one/deep/b.slang", "//TEST:COMPARE_COMPUTE:-cpu\nTexture2D t;\n");
        write("one/c.slang", "int imported;\n");
        write("two/d.slang", "//TEST:COMPARE_COMPUTE:-cpu\n");
        let tests = load(root.path(), "one").expect("readable");
        let names: Vec<(&str, bool)> = tests.iter().map(|t| (t.name.as_str(), t.buffers_only)).collect();
        assert_eq!(names, [("one/a", true), ("one/deep/b", false)]);
    }
}
