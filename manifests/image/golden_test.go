package image

// Hashes of what sample(3 MiB) becomes. The pack's also pins the encoder: a new
// version of it that packs differently is a new pack of every image.
const (
	goldenGear  = "9cc6493216d9ddd97aaa07134dea210e1dc6071f55fcb86a0af9982d8316cb44"
	goldenIndex = "01da7b25a045f414f2b085e930d4fd574eadde8569f10d670e4829ce8157f1bb"
	goldenPack  = "7fc5e24b97f7ad9c8ddc84f56601ecb346f595d40267f93986aa07c7a9df2f85"
)

var goldenCuts = []struct {
	params  Params
	chunks  int
	lengths string
}{
	{smallChunks, 144, "492f7873b99af67b6065be19a99c75764d745ce5c78dfd367e8f7fe9c3b54add"},
	{largeChunks, 72, "1994effa01e71e9e30c1e9f9511837cc34c711a18e50d917ff094cb6a8451c47"},
}
