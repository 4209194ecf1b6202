//! The screen: frames are drawn into memory and written by a thread of its own.
//!
//! A terminal that stops reading (a stalled SSH connection, a paused multiplexer) blocks its writer.
//! So a frame is drawn into a buffer and handed to the thread, and the next one is drawn only when it
//! was written: the loop goes on, and the newest state is shown when the terminal reads again. At most
//! one frame waits.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use tokio::sync::mpsc;

use super::console::Display;
use super::terminal;
use crate::app::Model;
use crate::ui::{self, Shown, Theme};

/// The bytes of one frame.
#[derive(Debug, Clone, Default)]
struct Sheet(Arc<Mutex<Vec<u8>>>);

impl Sheet {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Sheet>>,
    sheet: Sheet,
    theme: Theme,
    frames: mpsc::Sender<Vec<u8>>,
    written: mpsc::Receiver<io::Result<()>>,
    is_writing: bool,
}

impl Screen {
    /// Starts the thread that writes to standard output.
    ///
    /// # Errors
    ///
    /// If the terminal's size cannot be read.
    pub fn new(theme: Theme) -> io::Result<Self> {
        let sheet = Sheet::default();
        let terminal = Terminal::new(CrosstermBackend::new(sheet.clone()))?;
        let (frames, mut to_write) = mpsc::channel::<Vec<u8>>(1);
        let (done, written) = mpsc::channel(1);
        thread::Builder::new().name("screen".to_owned()).spawn(move || {
            let mut out = io::stdout();
            while let Some(frame) = to_write.blocking_recv() {
                let result = out.write_all(&frame).and_then(|()| out.flush());
                if done.blocking_send(result).is_err() {
                    return;
                }
            }
        })?;
        let mut screen = Self { terminal, sheet, theme, frames, written, is_writing: false };
        screen.clear()?;
        Ok(screen)
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let frame = self.sheet.take();
        self.frames.try_send(frame).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        self.is_writing = true;
        Ok(())
    }
}

impl Display for Screen {
    fn is_busy(&self) -> bool {
        self.is_writing
    }

    async fn written(&mut self) -> io::Result<()> {
        match self.written.recv().await {
            Some(result) => {
                self.is_writing = false;
                result
            }
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn draw(&mut self, model: &Model) -> io::Result<Shown> {
        let mut shown = Shown::default();
        let theme = self.theme;
        self.terminal.draw(|frame| shown = ui::view(model, theme, frame))?;
        self.hand_over()?;
        Ok(shown)
    }

    fn clear(&mut self) -> io::Result<()> {
        // Not `Terminal::clear`: it queries the cursor position and waits two seconds for a terminal
        // that does not answer.
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }

    fn suspend(&mut self) -> io::Result<()> {
        terminal::stop_and_go()?;
        self.clear()
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Sent with the next frame: between two it could split an escape sequence.
        self.sheet.write_all(bytes)
    }
}
