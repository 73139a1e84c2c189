//! Opens a file of rows: decodes gzip and byte-order marks, and refuses other kinds of files by name.

use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;

use super::Reader;

const GZIP: &[u8] = b"\x1f\x8b";
const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF_16: &str = "UTF-16: save the file as UTF-8, for example with `iconv -f UTF-16 -t UTF-8`";
/// Magic bytes of files that hold no rows. A row begins with none of them.
const REFUSED: [(&[u8], &str); 13] = [
    (b"\xff\xfe", UTF_16),
    (b"\xfe\xff", UTF_16),
    (b"{\0", UTF_16),
    (b"[\0", UTF_16),
    (b"\0", UTF_16),
    (
        b"PK\x03\x04",
        "a ZIP archive (.zip, .xlsx, .npz): unpack it, or export the sheet as CSV in UTF-8",
    ),
    (
        b"PAR1",
        "Parquet: export it with pandas, `read_parquet(…).to_json(…, orient=\"records\", lines=True)`",
    ),
    (
        b"ARROW1",
        "Arrow (Feather): export it with pandas, `read_feather(…).to_json(…, orient=\"records\", lines=True)`",
    ),
    (
        b"\x93NUMPY",
        "a NumPy array: export it with pandas, `DataFrame(…, columns=…).to_json(…, orient=\"records\", lines=True)`",
    ),
    (
        b"\x28\xb5\x2f\xfd",
        "compressed by zstd: unpack it with `zstd -d`",
    ),
    (b"\xfd7zXZ", "compressed by xz: unpack it with `xz -d`"),
    (b"BZh", "compressed by bzip2: unpack it with `bzip2 -d`"),
    (
        b"CBM1",
        "a CatBoost model: the model comes first, then the file of rows",
    ),
];

/// Opens the file at `path`, or standard input for `-`. Returns its name for messages, and its text from the first byte
/// on.
pub(super) fn open(path: &Path) -> Result<(String, Reader), String> {
    let (name, file): (String, Box<dyn Read>) = if path == Path::new("-") {
        ("standard input".to_owned(), Box::new(io::stdin()))
    } else {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| format!("{name}: {error}"))?;
        (name, Box::new(file))
    };
    match decoded(file) {
        Ok(reader) => Ok((name, reader)),
        Err(what) => Err(format!("{name}: {what}")),
    }
}

fn decoded(file: Box<dyn Read>) -> Result<Reader, String> {
    let (mut head, mut reader) = begin(Box::new(BufReader::new(file)))?;
    if head == GZIP {
        let packed = Cursor::new(head).chain(reader);
        let unpacked = Unpacked(MultiGzDecoder::new(packed));
        (head, reader) = begin(Box::new(BufReader::with_capacity(1 << 16, unpacked)))?;
        if head == GZIP {
            return Err("gzip within gzip: unpack it once with `gzip -d`".to_owned());
        }
    }
    if let Some((_, what)) = REFUSED.iter().find(|(magic, _)| head == *magic) {
        return Err(format!("no rows but {what}"));
    }
    if head == UTF_8_MARK {
        return Ok(reader);
    }
    Ok(Box::new(Cursor::new(head).chain(reader)))
}

/// Reads bytes one at a time while they may be the beginning of a known kind. They equal its magic bytes if they are.
/// This waits for no more bytes of a pipe than necessary.
fn begin(mut reader: Reader) -> Result<(Vec<u8>, Reader), String> {
    let marks = || {
        let refused = REFUSED.iter().map(|&(mark, _)| mark);
        refused.chain([GZIP, UTF_8_MARK])
    };
    let mut head = Vec::new();
    while marks().any(|mark| mark.len() > head.len() && mark.starts_with(&head)) {
        let read = (&mut reader).take(1).read_to_end(&mut head);
        if read.map_err(|error| error.to_string())? == 0 {
            break;
        }
    }
    Ok((head, reader))
}

/// Decompressor of gzip. Its errors say that the gzip data is damaged.
struct Unpacked<R>(MultiGzDecoder<R>);

impl<R: io::BufRead> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            io::ErrorKind::UnexpectedEof => {
                let what =
                    "the gzip data end too early: the file is cut off; fetch or pack it again";
                io::Error::new(error.kind(), what)
            }
            kind => io::Error::new(
                kind,
                format!("the gzip data are damaged ({error}); fetch or pack the file again"),
            ),
        })
    }
}
