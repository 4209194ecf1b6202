//! What the reader accepts and what it reports.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use rstest::rstest;

use super::*;

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    file
}

fn read(bytes: &[u8]) -> Vec<Result<Recorded, BadLine>> {
    let file = file(bytes);
    let mut reader = Reader::open(file.path()).expect("a header");
    std::iter::from_fn(|| reader.next().expect("readable")).collect()
}

fn recorded(time: &str, bid: Decimal, ask: Decimal) -> Recorded {
    Recorded { time: time.parse().expect("a time"), bid, ask }
}

#[rstest]
#[case::zulu("time,bid,ask\n2014-05-02T00:00:00.277Z,1.38694,1.38705\n")]
#[case::offset("timestamp,bid,ask\n2014-05-02 02:00:00.277000+02:00,1.38694,1.38705")]
#[case::no_offset("Timestamp,bid,ask\n2014-05-02 00:00:00.277,1.38694,1.38705\n")]
#[case::windows("time,bid,ask\r\n2014-05-02T00:00:00.277Z,1.38694,1.38705\r\n")]
#[case::other_order("ask,volume,bid,time\n1.38705,3,1.38694,2014-05-02T00:00:00.277Z\n")]
#[case::marked("\u{feff}time, bid, ask\n\n2014-05-02T00:00:00.277Z, 1.38694, 1.38705\n\n")]
fn every_accepted_format_is_read(#[case] text: &str) {
    let quote = recorded("2014-05-02T00:00:00.277Z", dec!(1.38694), dec!(1.38705));
    assert_eq!(read(text.as_bytes()), [Ok(quote)]);
}

#[test]
fn gzip_is_detected_by_content_and_its_members_are_one_file() {
    let mut bytes = Vec::new();
    for part in ["time,bid,ask\n2014-05-02T00:00:00Z,1,2\n", "2014-05-02T00:00:01Z,1,2\n"] {
        let mut encoder = GzEncoder::new(&mut bytes, Compression::fast());
        encoder.write_all(part.as_bytes()).expect("packed");
        encoder.finish().expect("packed");
    }
    assert_eq!(read(&bytes).len(), 2);
}

#[rstest]
#[case("2014-05-02T00:00:01Z,1.5", "no ask")]
#[case("2014-05-02T00:00:01Z,1.5,", "no ask")]
#[case("yesterday,1.5,1.6", "\"yesterday\" is not a time")]
#[case("2014-05-02T00:00:01Z,1e3,1.6", "\"1e3\" is not a price")]
#[case("2014-05-02T00:00:01Z,-1.5,1.6", "\"-1.5\" is not a price")]
#[case("2014-05-02T00:00:01Z,0,1.6", "price is zero")]
#[case("2014-05-02T00:00:01Z,1.7,1.6", "bid 1.7 is above ask 1.6")]
#[case("2014-05-02T00:00:01Z,1,100000", "price 100000 exceeds the maximum 99999.99999")]
#[case("\"2014-05-02T00:00:01Z,1,2", "\"\\\"2014-05-02T00:00:01Z\" is not a time")]
#[case("2014-05-02T00:00:01Z\u{1b}[2J,1,2", "\"2014-05-02T00:00:01Z␛[2J\" is not a time")]
fn a_bad_line_is_reported_by_number_and_the_rest_is_read(#[case] line: &str, #[case] reason: &str) {
    let text =
        format!("time,bid,ask\n2014-05-02T00:00:00Z,1,2\n{line}\n2014-05-02T00:00:02Z,1,2\n");
    let found = read(text.as_bytes());

    let good: Vec<Recorded> = found.iter().filter_map(|line| line.clone().ok()).collect();
    let times = ["2014-05-02T00:00:00Z", "2014-05-02T00:00:02Z"];
    assert_eq!(good, times.map(|time| recorded(time, dec!(1), dec!(2))));
    let bad: Vec<BadLine> = found.into_iter().filter_map(Result::err).collect();
    assert_eq!(bad, [BadLine { number: 3, reason: reason.to_owned() }]);
}

#[test]
fn invalid_utf8_and_overlong_lines_are_bad_lines() {
    let mut bytes = b"time,bid,ask\n2014-05-02T00:00:00Z,\xff,2\n".to_vec();
    bytes.extend(vec![b'7'; 100_000]);
    bytes.extend(b"\n2014-05-02T00:00:02Z,1,2\n");
    let reasons: Vec<_> = read(&bytes)
        .into_iter()
        .filter_map(Result::err)
        .map(|bad| (bad.number, bad.reason))
        .collect();
    assert_eq!(reasons, [(2, "not UTF-8".to_owned()), (3, "longer than 4096 bytes".to_owned())]);
}

#[rstest]
#[case::one_from_the_future(["00:00:00", "09:00:00", "00:00:02", "00:00:03"], 3)]
#[case::one_from_the_past(["00:00:05", "00:00:06", "00:00:01", "00:00:07"], 4)]
fn of_two_times_out_of_order_the_one_that_does_not_fit_is_bad(
    #[case] times: [&str; 4],
    #[case] bad: u64,
) {
    let lines: String = times.map(|time| format!("2014-05-02T{time}Z,1,2\n")).concat();
    let found = read(format!("time,bid,ask\n{lines}").as_bytes());

    assert_eq!(found.iter().filter(|line| line.is_ok()).count(), 3);
    let numbers: Vec<u64> =
        found.into_iter().filter_map(Result::err).map(|bad| bad.number).collect();
    assert_eq!(numbers, [bad]);
}

#[rstest]
#[case::empty("")]
#[case::no_header("2014-05-02T00:00:00.277Z,1.38694,1.38705\n")]
#[case::no_ask("time,bid\n")]
fn a_file_without_the_columns_is_refused(#[case] text: &str) {
    let file = file(text.as_bytes());
    let refused = Reader::open(file.path()).err().map(|error| error.to_string());
    assert!(refused.is_some_and(|text| text.contains("time,bid,ask")));
}

#[test]
fn a_truncated_gzip_file_is_an_error_after_its_readable_part() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(b"time,bid,ask\n").expect("packed");
    for second in 0..60 {
        writeln!(encoder, "2014-05-02T00:00:{second:02}Z,1,2").expect("packed");
    }
    let mut bytes = encoder.finish().expect("packed");
    bytes.truncate(bytes.len() - 400);
    let file = file(&bytes);
    let mut reader = Reader::open(file.path()).expect("a header");

    let mut good = 0;
    let end = loop {
        match reader.next() {
            Ok(Some(line)) => good += i32::from(line.is_ok()),
            Ok(None) => break None,
            Err(error) => break Some(error.kind()),
        }
    };
    assert_eq!(end, Some(io::ErrorKind::UnexpectedEof));
    assert!(good > 30, "{good}");
}
