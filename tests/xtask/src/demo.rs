//! `cargo xtask demo`: every sample with its output, on each device that is there, and the pictures it made.

use std::fs;
use std::time::SystemTime;

use anyhow::Result;

use crate::checkout::Checkout;
use crate::{child, samples, setup};

pub fn run(checkout: &Checkout) -> Result<bool> {
    let ready = setup::prepare(checkout)?;
    let start = SystemTime::now();
    let mut failed = Vec::new();
    for sample in samples::list(checkout)? {
        println!("\n== samples/{}", sample.name);
        if !child::succeeds(&mut sample.command(checkout, &ready.environment))? {
            failed.push(sample.name);
        }
    }
    let mut pictures = checkout.files(&["out"])?;
    pictures.retain(|file| {
        let is_new = fs::metadata(file).and_then(|found| found.modified()).is_ok_and(|time| time >= start);
        is_new && file.extension().is_some_and(|extension| extension == "png")
    });
    println!();
    for picture in &pictures {
        println!("picture: {}", checkout.relative(picture));
    }
    for sentence in &ready.missing {
        println!("skipped: {sentence}");
    }
    for name in &failed {
        println!("failed: samples/{name}");
    }
    Ok(failed.is_empty())
}
