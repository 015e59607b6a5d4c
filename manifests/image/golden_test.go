package image

// Hashes of what sample(3 MiB) becomes. The pack's also pins the encoder: a new
// version of it that packs differently is a new pack of every image.
const (
	goldenGear  = "9cc6493216d9ddd97aaa07134dea210e1dc6071f55fcb86a0af9982d8316cb44"
	goldenIndex = "330157ef0b3c57e3d71bd6dbef4e67842780feea452bc6627c41f12dd5858fef"
	goldenPack  = "a88d1edff3ea2bc274fd8b7f0f07b9b26cda1ea34f86993a430b5a9316af6933"
)

var goldenCuts = []struct {
	params  Params
	chunks  int
	lengths string
}{
	{smallChunks, 144, "492f7873b99af67b6065be19a99c75764d745ce5c78dfd367e8f7fe9c3b54add"},
	{largeChunks, 72, "1994effa01e71e9e30c1e9f9511837cc34c711a18e50d917ff094cb6a8451c47"},
}
