//! Embeds the built front end: copies the files below `dist/app` and writes a table of them, which is empty
//! without a build.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// The codings in which the build stores a file beside itself.
const CODINGS: [&str; 2] = ["br", "gz"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    // The folder exists without a build, too: Cargo would run this for ever otherwise.
    println!("cargo::rerun-if-changed=dist");
    let built = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("dist/app");
    let target = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let root = target.join("app");
    if root.is_dir() {
        fs::remove_dir_all(&root)?;
    }
    // Another command may build the pages anew while this crate is compiled: the compiler reads copies.
    if built.is_dir() {
        copy(&built, &root)?;
    }
    let mut files = Vec::new();
    if root.is_dir() {
        collect(&root, &mut files)?;
    }
    files.sort();
    let table: String = files.iter().map(|file| line(&root, file)).collect();
    fs::write(target.join("files.rs"), format!("&[\n{table}]\n"))
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Collects the files below a folder, without their compressed copies.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_copy = path.extension().is_some_and(|end| CODINGS.iter().any(|coding| end == *coding));
        if path.is_dir() {
            collect(&path, files)?;
        } else if !is_copy {
            files.push(path);
        }
    }
    Ok(())
}

/// Returns the line of a file in the table.
fn line(root: &Path, file: &Path) -> String {
    let path = file.strip_prefix(root).unwrap_or(file).display();
    let bytes = |path: &Path| format!("include_bytes!({:?})", path.display().to_string());
    let copies = CODINGS.map(|coding| {
        let copy = PathBuf::from(format!("{}.{coding}", file.display()));
        if copy.is_file() { format!("Some({})", bytes(&copy)) } else { "None".to_owned() }
    });
    let [brotli, gzip] = copies;
    format!("File {{ path: \"{path}\", bytes: {}, brotli: {brotli}, gzip: {gzip} }},\n", bytes(file))
}
