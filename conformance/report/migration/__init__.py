"""May an application move from one endpoint to another? The decision, and its faces. It reads runs; nothing is sent."""
