package aggregate

// NewRecorderWithCheckpoints is NewRecorder with the least number of bytes of log between checkpoints.
var NewRecorderWithCheckpoints = newRecorder
