"""Exams: cases about a folder are asked, the answers judged and recorded, and two runs compared."""
