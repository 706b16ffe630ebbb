# Install Portway from an archive, with Windows PowerShell 5.1 or PowerShell 7.
#
# PORTWAY_DOWNLOAD_URL   the directory that contains the archives; a `file:` URL works as well
#                        [default: @URL@]
# PORTWAY_INSTALL_DIR    where the binary is installed
#                        [default: %LOCALAPPDATA%\Programs\Portway]

$ErrorActionPreference = 'Stop'
# The progress bar of Windows PowerShell makes downloads slow.
$ProgressPreference = 'SilentlyContinue'

function Get-Download([string] $Url, [string] $File) {
    $address = [Uri] $Url
    if ($address.IsFile) {
        Copy-Item -LiteralPath $address.LocalPath -Destination $File
    } else {
        Invoke-WebRequest -UseBasicParsing -Uri $address -OutFile $File
    }
}

# In a function, so that nothing runs if this script arrives incomplete.
function Install-Portway {
    $url = if ($env:PORTWAY_DOWNLOAD_URL) { $env:PORTWAY_DOWNLOAD_URL } else { '@URL@' }
    $bin = if ($env:PORTWAY_INSTALL_DIR) {
        $env:PORTWAY_INSTALL_DIR
    } else {
        Join-Path $env:LOCALAPPDATA 'Programs\Portway'
    }
    # Windows on ARM runs programs for x64.
    if (-not [Environment]::Is64BitOperatingSystem) {
        throw 'there is no archive for 32-bit Windows; build Portway from source'
    }
    $name = 'portway-@VERSION@-@TARGET@'
    $work = Join-Path ([IO.Path]::GetTempPath()) ([IO.Path]::GetRandomFileName())
    New-Item -ItemType Directory -Path $work | Out-Null
    try {
        $archive = Join-Path $work "$name.zip"
        Get-Download "$url/$name.zip" $archive
        Get-Download "$url/$name.zip.sha256" "$archive.sha256"
        $wanted = ((Get-Content -LiteralPath "$archive.sha256" -Raw) -split '\s+')[0]
        $actual = (Get-FileHash -LiteralPath $archive -Algorithm SHA256).Hash
        if ($actual -ne $wanted) {
            throw "the checksum of $name.zip is wrong; nothing was installed"
        }
        Expand-Archive -LiteralPath $archive -DestinationPath $work
        New-Item -ItemType Directory -Force -Path $bin | Out-Null
        $binary = Join-Path $bin 'portway.exe'
        # The file of a running program can be renamed, but not replaced.
        $old = Join-Path $bin '.portway.old'
        Remove-Item -LiteralPath $old -Force -ErrorAction SilentlyContinue
        if (Test-Path -LiteralPath $binary) {
            if (Test-Path -LiteralPath $old) {
                $old = Join-Path $bin ".portway.$([IO.Path]::GetRandomFileName()).old"
            }
            Move-Item -LiteralPath $binary -Destination $old
        }
        Move-Item -LiteralPath (Join-Path $work "$name\portway.exe") -Destination $binary
        Remove-Item -LiteralPath $old -Force -ErrorAction SilentlyContinue
        Write-Output "installed Portway @VERSION@ as $binary"
        if (($env:Path -split ';') -notcontains $bin) {
            Write-Output "add $bin to Path to run it as ``portway``"
        }
    } finally {
        Remove-Item -LiteralPath $work -Recurse -Force
    }
}

Install-Portway
