"""What every session leaves when its terminal ends: an asciicast v2 and a transcript, for the owner's eyes."""
