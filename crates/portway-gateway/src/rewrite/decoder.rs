//! Decodes the content coding of a body that arrives in pieces.

use std::io::{self, Write};
use std::mem;

use brotli_decompressor::DecompressorWriter;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap};

/// The size of the buffer of the Brotli decoder, in bytes.
const BUFFER_SIZE: usize = 16 * 1024;

/// Decodes one body.
pub(super) enum Decoder {
    Gzip(MultiGzDecoder<Vec<u8>>),
    Brotli(Box<DecompressorWriter<Vec<u8>>>),
    /// Some servers send a zlib stream, as the standard says, others only what is in it. The first
    /// byte decides.
    Deflate,
    Zlib(ZlibDecoder<Vec<u8>>),
    RawDeflate(DeflateDecoder<Vec<u8>>),
}

/// How the body of a message is encoded.
pub(super) enum Coding {
    /// Not at all.
    Identity,
    /// In a way that the gateway can decode.
    Known(Box<Decoder>),
    /// In another way.
    Unknown,
}

impl Coding {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut fields = headers.get_all(header::CONTENT_ENCODING).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else {
            let is_identity = headers.get(header::CONTENT_ENCODING).is_none();
            return if is_identity {
                Self::Identity
            } else {
                Self::Unknown
            };
        };
        let coding = field.to_str().unwrap_or_default().trim();
        match coding.to_ascii_lowercase().as_str() {
            "" | "identity" => Self::Identity,
            "gzip" | "x-gzip" => Self::known(Decoder::Gzip(MultiGzDecoder::new(Vec::new()))),
            "deflate" => Self::known(Decoder::Deflate),
            "br" => {
                let decoder = DecompressorWriter::new(Vec::new(), BUFFER_SIZE);
                Self::known(Decoder::Brotli(Box::new(decoder)))
            }
            _ => Self::Unknown,
        }
    }

    fn known(decoder: Decoder) -> Self {
        Self::Known(Box::new(decoder))
    }
}

impl Decoder {
    /// Decodes a piece.
    ///
    /// # Errors
    /// If the body is not valid in this coding.
    pub(super) fn push(&mut self, piece: &[u8]) -> io::Result<Bytes> {
        let Some(first) = piece.first() else {
            return Ok(Bytes::new());
        };
        if matches!(self, Self::Deflate) {
            *self = if first & 0x0f == 8 {
                Self::Zlib(ZlibDecoder::new(Vec::new()))
            } else {
                Self::RawDeflate(DeflateDecoder::new(Vec::new()))
            };
        }
        let writer: &mut dyn Write = match self {
            Self::Gzip(decoder) => decoder,
            Self::Brotli(decoder) => decoder.as_mut(),
            Self::Zlib(decoder) => decoder,
            Self::RawDeflate(decoder) => decoder,
            Self::Deflate => return Ok(Bytes::new()),
        };
        writer.write_all(piece)?;
        writer.flush()?;
        Ok(self.take())
    }

    /// Returns the rest of the body.
    ///
    /// # Errors
    /// If the body is incomplete.
    pub(super) fn finish(&mut self) -> io::Result<Bytes> {
        match self {
            Self::Gzip(decoder) => decoder.try_finish()?,
            Self::Brotli(decoder) => decoder.close()?,
            Self::Zlib(decoder) => decoder.try_finish()?,
            Self::RawDeflate(decoder) => decoder.try_finish()?,
            Self::Deflate => {}
        }
        Ok(self.take())
    }

    fn take(&mut self) -> Bytes {
        let output = match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Zlib(decoder) => decoder.get_mut(),
            Self::RawDeflate(decoder) => decoder.get_mut(),
            Self::Deflate => return Bytes::new(),
        };
        mem::take(output).into()
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &str = "fetch('http://localhost:8000/api')\n";

    /// The text in Brotli: a stored block, written by hand from RFC 7932.
    fn brotli(text: &[u8]) -> Vec<u8> {
        // WBITS 16, then a metablock: not last, 4 nibbles of length - 1, uncompressed.
        let length = u32::try_from(text.len() - 1).unwrap();
        let header = (length << 4) | (1 << 20);
        let mut out = header.to_le_bytes()[..3].to_vec();
        out.extend_from_slice(text);
        // An empty last metablock.
        out.push(0b11);
        out
    }

    fn decode(coding: &'static str, body: &[u8], size: usize) -> io::Result<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, coding.parse().unwrap());
        let Coding::Known(mut decoder) = Coding::of(&headers) else {
            panic!("{coding} is unknown");
        };
        let mut decoded = Vec::new();
        for piece in body.chunks(size) {
            decoded.extend_from_slice(&decoder.push(piece)?);
        }
        decoded.extend_from_slice(&decoder.finish()?);
        Ok(String::from_utf8(decoded).unwrap())
    }

    #[test]
    fn decodes_every_coding_piece_by_piece() {
        let text = TEXT.repeat(20);
        let level = Compression::default();
        let mut gzip = GzEncoder::new(Vec::new(), level);
        let mut zlib = ZlibEncoder::new(Vec::new(), level);
        let mut raw = DeflateEncoder::new(Vec::new(), level);
        gzip.write_all(text.as_bytes()).unwrap();
        zlib.write_all(text.as_bytes()).unwrap();
        raw.write_all(text.as_bytes()).unwrap();
        let bodies = [
            ("gzip", gzip.finish().unwrap()),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", raw.finish().unwrap()),
            ("br", brotli(text.as_bytes())),
        ];
        for (coding, body) in bodies {
            for size in [1, 7, body.len()] {
                let decoded = decode(coding, &body, size);
                assert_eq!(decoded.unwrap(), text, "{coding} in pieces of {size}");
            }
            let incomplete = &body[..body.len() / 2];
            assert!(decode(coding, incomplete, 7).is_err(), "{coding}");
        }
    }

    #[test]
    fn passes_a_piece_on_before_the_body_ends() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(TEXT.as_bytes()).unwrap();
        gzip.flush().unwrap();
        let mut decoder = Decoder::Gzip(MultiGzDecoder::new(Vec::new()));
        assert_eq!(decoder.push(gzip.get_ref()).unwrap(), TEXT);
    }

    #[test]
    fn rejects_a_body_that_is_not_in_the_coding() {
        assert!(decode("gzip", TEXT.as_bytes(), 100).is_err());
        assert!(decode("br", b"\xff\xff\xff\xff\xff\xff", 100).is_err());
    }
}
