//! Runs executable tests of the Slang compiler's repository, as an outside check of the front end and of derivatives.
//!
//! None of those tests is part of this project: the folder is given, and only the names of those that pass are kept.
//! A test is a shader with comments: `//TEST:` says how it is run, `//TEST_INPUT:` what its globals hold, and the
//! expected contents of its buffers lie in a file beside it or in further comments.

pub mod bind;
pub mod constants;
pub mod directive;
pub mod expected;
pub mod input;
mod objects;
pub mod outcome;
pub mod passing;
pub mod print;
pub mod run;
pub mod suite;
pub mod value;
pub mod worker;
