namespace Weir.Tests.Golden; public class PlaceTests { [Fact] public void Stands() => Assert.True(true); }
